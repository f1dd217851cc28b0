"""Events about the health of nodes, maintenance and drains."""

from eisbach.app.event_body import Body

KINDS: dict[str, type[Body]] = {}
