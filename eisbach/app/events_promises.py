"""Events about public promises."""

from eisbach.app.event_body import Body

KINDS: dict[str, type[Body]] = {}
