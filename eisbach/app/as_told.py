"""What an event tells: itself, or for an imported record the event of another factory from which rows and balances follow."""

import msgspec

from eisbach.app.event_body import Body
from eisbach.app.event_codec import open_event
from eisbach.app.events import KIND_OF
from eisbach.app.events_exit import RecordImported
from eisbach.app.events_usage import UsageSettledTogether, only
from eisbach.app.exit_catalogue import AT_A_SITE, EXPORTED, After
from eisbach.core.log.event import SealedEvent


def as_told(at_ms: int, body: Body) -> tuple[int, Body]:
    """Return the instant and the body from which rows and balances follow.

    For an imported record they are the first factory's, unless its kind is only kept: then nothing follows but the
    record itself. A record that was imported before it was exported again is opened twice.
    """
    if not isinstance(body, RecordImported):
        return at_ms, body
    opened = open_event(body.data.encode())
    if EXPORTED.get(opened.kind, After.KEPT) is After.KEPT:
        return at_ms, body
    told_ms, told = as_told(opened.at_ms, opened.body)
    if isinstance(told, RecordImported):  # it was kept there already
        return at_ms, body
    if KIND_OF[type(told)] in AT_A_SITE:
        told = msgspec.structs.replace(told, site=body.site)
    if isinstance(told, UsageSettledTogether):
        told = only(told, body.left_behind)
    if body.at_root:
        told = msgspec.structs.replace(told, parent=None)
    return told_ms, told


def kind_told(sealed: SealedEvent) -> str:
    """Return the kind of the event that a stored event tells of: its own, but for imported records."""
    if sealed.kind != KIND_OF[RecordImported]:
        return sealed.kind
    return KIND_OF[type(as_told(sealed.at_ms, open_event(sealed.data).body)[1])]
