"""What every store refuses, whatever it is made of: gaps in the log and contradicted heads."""

from collections.abc import Sequence

from eisbach.core.log.event import SealedEvent
from eisbach.core.vocabulary.invariant import require


def require_continuation(size: int, events: Sequence[SealedEvent]) -> None:
    """Raise BrokenInvariant unless the events are the ones that follow a log of `size` events."""
    for expected, event in enumerate(events, size):
        require(event.seq == expected, f"the log has no gap and no fork: event {expected} comes next, not {event.seq}")


def require_consistent_head(size: int, note: str, known: str | None, log_size: int) -> None:
    """Raise BrokenInvariant where a new head covers what is not in the log or contradicts the `known` one of its size.

    Other signatures under the same text are no contradiction: a witness may have signed since.
    """
    require(0 <= size <= log_size, f"a head covers only what is in the log: {size} is beyond {log_size} events")
    same = known is None or _checkpoint_of(known) == _checkpoint_of(note)
    require(same, f"a signed head is never contradicted: there is another one for size {size}")


def _checkpoint_of(note: str) -> str:
    """The signed text; none of its lines is empty (c2sp.org/tlog-checkpoint)."""
    return note.partition("\n\n")[0]
