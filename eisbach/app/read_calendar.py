"""The calendar as people look at it: of each pool what is free, booked and closed over time; own bookings by name."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Any

from eisbach.app.list_sites import facts_of
from eisbach.app.outlook import outlook_of
from eisbach.app.state import FactoryState
from eisbach.core.booking.timetable import Stand
from eisbach.core.capacity.calendar import Entry, EntryKind
from eisbach.core.vocabulary.interval import minute_text
from eisbach.core.vocabulary.quantities import DAY_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal

SPAN_MAX_MS = 400 * DAY_MS
BOOKED, CLOSED = "booked", "closed"


def question(
    *, from_ms: int | None, until_ms: int | None, projects: Collection[str] | None
) -> Callable[[FactoryState, int], dict[str, Any] | Refusal]:
    """Return the question for the calendar between two instants (None: now, and four weeks later); a span of no length is refused.

    `projects` are those whose bookings are told by name (None: all); of others only how many nodes are taken.
    """

    def ask(state: FactoryState, now: int) -> dict[str, Any] | Refusal:
        start = from_ms if from_ms is not None else now
        if until_ms is not None and until_ms <= start:
            what = f"The calendar would end at {minute_text(until_ms)} and begin at {minute_text(start)}"
            return Refusal(Reason.INVALID_ARGUMENT, what, "Give an earlier `from_at` or a later `until_at`", "until_at")
        end = min(until_ms if until_ms is not None else start + 28 * DAY_MS, start + SPAN_MAX_MS)
        entries = [one for one in state.scheduler.calendar if one.from_ms < end and one.until_ms > start]
        stands = outlook_of(state).timetable.stands.values()
        return {
            "from_ms": start,
            "until_ms": end,
            "pools": [_pool(state, stand, entries, start, end) for stand in stands],
            "bookings": [_own(state, one) for one in entries if _is_own(state, one, projects)],
        }

    return ask


def _pool(state: FactoryState, stand: Stand, entries: Iterable[Entry], start: int, end: int) -> dict[str, Any]:
    nodes = set(stand.nodes)
    return {
        "site": stand.site,
        "country": state.sites[stand.site].country,
        "simulated": state.sites[stand.site].is_simulated,
        "flavour": stand.flavour,
        "nodes": len(nodes),
        "steps": _steps(entries, nodes, start, end),
    }


def _steps(entries: Iterable[Entry], nodes: Collection[str], start: int, end: int) -> list[dict[str, int]]:
    """Return from which instant on how many nodes are booked and how many closed; a node that is both counts as closed."""
    changes: dict[int, list[tuple[str, str, int]]] = {start: []}
    for entry in entries:
        what = BOOKED if entry.kind.is_tenants else CLOSED
        mine = [name for name in entry.nodes if name in nodes]
        for at, sign in ((max(start, entry.from_ms), 1), (entry.until_ms, -1)):
            if mine and at < end:
                changes.setdefault(at, []).extend((name, what, sign) for name in mine)
    held = {BOOKED: Counter[str](), CLOSED: Counter[str]()}
    booked = closed = 0
    steps: list[dict[str, int]] = []
    for at in sorted(changes):
        for name, what, sign in changes[at]:
            was_closed, was_booked = held[CLOSED][name] > 0, held[BOOKED][name] > 0
            held[what][name] += sign
            is_closed, is_booked = held[CLOSED][name] > 0, held[BOOKED][name] > 0
            closed += is_closed - was_closed
            booked += (is_booked and not is_closed) - (was_booked and not was_closed)
        steps.append({"at_ms": at, "booked": booked, "closed": closed, "free": len(nodes) - booked - closed})
    return steps


def _is_own(state: FactoryState, entry: Entry, projects: Collection[str] | None) -> bool:
    booking = state.booking.bookings.get(entry.id) if entry.kind is EntryKind.BOOKING else None
    return booking is not None and (projects is None or booking.project in projects)


def _own(state: FactoryState, entry: Entry) -> dict[str, Any]:
    booking = state.booking.bookings[entry.id]
    return {
        "booking": booking.booking,
        "project": booking.project,
        "site": booking.site,
        "flavour": booking.flavour,
        "nodes": list(booking.nodes),
        "from_ms": booking.from_ms,
        "until_ms": booking.until_ms,
        **{name: value for name, value in facts_of(state.sites[booking.site]).items() if name == "simulated"},
    }
