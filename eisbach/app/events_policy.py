"""Events about placement rules."""

from eisbach.app.event_body import Body

KINDS: dict[str, type[Body]] = {}
