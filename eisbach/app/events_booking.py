"""Events about quotes held, bookings and what becomes of them."""

from eisbach.app.event_body import Body

KINDS: dict[str, type[Body]] = {}
