"""What the writer does only in some factories, imported when it is first done: a replay in the twin starts the sooner.

Each function does what the module does that it names.
A server has all of these modules loaded before it answers anybody: by its faces, and by `load`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eisbach.app.commands import Context
    from eisbach.app.event_body import Body
    from eisbach.app.state import FactoryState
    from eisbach.ports.signer import Signer
    from eisbach.ports.store import Batch, Keeps


# ---- of a store that keeps more than totals ----------------------------------------------------------------------


def load(keeps: "Keeps") -> None:
    """Import what the first event of such a store needs and nothing else of a server does: what is wrong there is seen at the start."""
    if keeps.rows:
        from eisbach.app import merge_rows  # noqa: F401


def add_rows(batch: "Batch", seq: int, at_ms: int, body: "Body", texts: dict[str, str]) -> None:
    """Add an event's rows and subjects to a batch (app/merge_rows.py)."""
    from eisbach.app.merge_rows import add_rows

    add_rows(batch, seq, at_ms, body, texts)


def encode_state(state: "FactoryState") -> bytes:
    """Return the state as bytes (app/snapshot.py)."""
    from eisbach.app.snapshot import encode_state

    return encode_state(state)


def state_of_snapshot(data: bytes) -> "FactoryState | None":
    """Return the state of a snapshot, None where it cannot be read (app/snapshot.py)."""
    from eisbach.app.snapshot import UnreadableSnapshot, decode_state

    try:
        return decode_state(data)
    except UnreadableSnapshot:
        return None


def signed_head(origin: str, size: int, root: bytes, signer: "Signer") -> str:
    """Return the head of a log of so many leaves, signed (core/log/head.py)."""
    from eisbach.core.log.head import Head, VerifierKey, sign_head

    return sign_head(Head(origin, size, root), VerifierKey(signer.name, signer.public_key), signer.sign)


# ---- of bookings -------------------------------------------------------------------------------------------------


def due_moves(state: "FactoryState", context: "Context") -> "list[Body]":
    """Return the next moves of bookings (app/due_moves.py); where there are no bookings none moves."""
    if not state.booking.bookings:
        state.scheduler.agenda.are_bookings_shaken = False
        return []
    from eisbach.app.due_moves import due_moves

    return due_moves(state, context)


def note_soonest(state: "FactoryState", now: int) -> None:
    """Have somebody look again when next something changes for a booking by itself (app/due_moves.py)."""
    if not state.booking.bookings:
        return
    from eisbach.app.due_moves import note_soonest

    note_soonest(state, now)
