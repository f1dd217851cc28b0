"""Events about promised starts and the scheduler's policy."""

from eisbach.app.event_body import Body

KINDS: dict[str, type[Body]] = {}
