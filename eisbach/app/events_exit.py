"""Events about exports and imports of organisations."""

from eisbach.app.event_body import Body

KINDS: dict[str, type[Body]] = {}
