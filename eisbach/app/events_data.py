"""Events about data sets and uploads."""

from eisbach.app.event_body import Body

KINDS: dict[str, type[Body]] = {}
