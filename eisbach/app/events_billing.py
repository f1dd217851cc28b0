"""Events about invoices and who they go to."""

from eisbach.app.event_body import Body

KINDS: dict[str, type[Body]] = {}
