"""Events about energy, water and heat."""

from eisbach.app.event_body import Body

KINDS: dict[str, type[Body]] = {}
