"""Events about agreements, quotas and fair shares."""

from eisbach.app.event_body import Body

KINDS: dict[str, type[Body]] = {}
