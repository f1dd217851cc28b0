"""Nodes close at an announced instant: for a maintenance window, or because they are to be drained by a deadline."""

from collections.abc import Iterable

from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events_health import ClosureAnnounced, ClosureEnded
from eisbach.app.state import FactoryState
from eisbach.app.tend_nodes import attempts_on_any, nodes_meant, note_of
from eisbach.core.capacity.calendar import Entry
from eisbach.core.capacity.health import NEVER_MS, Closure, ClosureEnd, ClosureKind
from eisbach.core.capacity.inventory import Node
from eisbach.core.capacity.targets import Targets
from eisbach.core.vocabulary.interval import length_text, minute_text
from eisbach.core.vocabulary.quantities import DAY_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal

AHEAD_MAX_MS = 5 * 366 * DAY_MS
"""A closure lies at most so far ahead: a year with a digit too much is a typing error."""
NAMED_MAX = 20
"""So many bookings and nodes a refusal names."""


def command(
    actor: Actor,
    *,
    targets: Targets,
    from_ms: int | None = None,
    length_ms: int | None = None,
    note: str = "",
    is_forced: bool = False,
) -> Command:
    """Return the command that announces a maintenance window, or without a length a drain; without `from_ms` it begins now.

    Whatever ends before stays; what would not gets its signal in time. Nothing new is placed over it. What tenants were given
    of it is refused, or where `is_forced` moves to equal nodes, and where there are none is credited, or a broken promise.
    """

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        begin_ms = context.now if from_ms is None else from_ms
        end_ms = NEVER_MS if length_ms is None else begin_ms + length_ms
        nodes = _wrong_window(context.now, begin_ms, length_ms) or nodes_meant(state, targets)
        if isinstance(nodes, Refusal):
            return nodes
        in_the_way = _another(state, nodes, begin_ms, end_ms)
        met = entries_met(state, nodes, begin_ms, end_ms)
        if in_the_way is None and met and not is_forced:
            in_the_way = _booked(met)
        if in_the_way is not None:
            return in_the_way
        closure = context.ids.new("close", context.now)
        noted = note_of(context, closure, note)
        if isinstance(noted, Refusal):
            return noted
        commitment, texts = noted
        kind = ClosureKind.DRAIN if length_ms is None else ClosureKind.MAINTENANCE
        names = tuple(node.node for node in nodes)
        announced = ClosureAnnounced(
            closure=closure, kind=kind.value, targets=str(targets), nodes=names, from_ms=begin_ms, until_ms=end_ms,
            by=actor.token, note=commitment,
        )  # fmt: skip
        reply = {
            "closure": closure,
            "kind": kind.value,
            "nodes": list(names),
            "from_ms": begin_ms,
            "until_ms": None if length_ms is None else end_ms,
            "moved": [f"{entry.kind.value} {entry.id}" for entry in met],
            **_who_leaves(state, names, context.now, begin_ms),
        }
        return Decision(events=(announced,), texts=texts, reply=reply)

    return decide


def cancel(actor: Actor, *, closure: str) -> Command:
    """Return the command that cancels a closure, or ends one that has begun: its nodes take work again."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        known = state.health.closures.get(closure)
        if known is None:
            return Refusal(Reason.NOT_FOUND, f"There is no closure {closure!r} to come or going on", "Look at `eisbach node maintenance list`")
        ended = ClosureEnded(closure=closure, cause=ClosureEnd.CANCELLED.value, by=actor.token)
        return Decision(events=(ended,), reply={"closure": closure, "nodes": list(known.nodes), "had_begun": known.has_begun})

    return decide


def _wrong_window(now: int, from_ms: int, length_ms: int | None) -> Refusal | None:
    def refusal(what: str, do: str, where: str) -> Refusal:
        return Refusal(Reason.INVALID_ARGUMENT, what, do, where, {"from_ms": from_ms, "length_ms": length_ms, "now_ms": now})

    if from_ms < now:
        return refusal(f"It begins at {minute_text(from_ms)}, which is past", "Say an instant to come", "from_ms")
    if from_ms - now > AHEAD_MAX_MS:
        return refusal(f"It begins at {minute_text(from_ms)}, years ahead", "Look at the year", "from_ms")
    if length_ms is not None and not 0 < length_ms <= AHEAD_MAX_MS:
        what = f"A window of {length_text(length_ms)} is not possible"
        return refusal(what, f"Give from 1 ms to {AHEAD_MAX_MS // DAY_MS} days", "length_ms")
    return None


def _another(state: FactoryState, nodes: Iterable[Node], from_ms: int, until_ms: int) -> Refusal | None:
    """Return the refusal for nodes that close in that time already."""
    names = {node.node for node in nodes}
    for closure in state.health.closures.values():
        both = [name for name in closure.nodes if name in names]
        if both and closure.meets(from_ms, until_ms):
            return Refusal(
                Reason.WINDOW_TAKEN,
                f"{_called(closure)} has {_some(both)} already ({closure.closure})",
                f"Choose another time, or cancel {closure.closure}",
                "from_ms",
                {"closure": closure.closure, "nodes": len(both)},
            )
    return None


def _called(closure: Closure) -> str:
    if closure.kind is ClosureKind.DRAIN:
        return f"A drain by {minute_text(closure.from_ms)}"
    return f"A maintenance window from {minute_text(closure.from_ms)} until {minute_text(closure.until_ms)}"


def _booked(met: list[Entry]) -> Refusal:
    """Return the refusal for nodes that tenants were given in that time: it says which bookings and promises those are."""
    names = [f"{entry.kind.value} {entry.id}" for entry in met]
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return Refusal(
        Reason.WINDOW_TAKEN,
        f"In that time nodes of it are given to {', '.join(names[:NAMED_MAX])}{more}",
        "Choose another time, or force it: then they move to equal nodes, and where there are none they are credited",
        "from_ms",
        {"bookings": [entry.id for entry in met[:NAMED_MAX]], "count": len(met)},
    )


def entries_met(state: FactoryState, nodes: Iterable[Node], from_ms: int, until_ms: int) -> list[Entry]:
    """Return what tenants were given of these nodes in a window, in the order of the calendar."""
    calendar = state.scheduler.calendar
    met = (entry for node in nodes for entry in calendar.meeting(node.node, from_ms, until_ms) if entry.kind.is_tenants)
    return sorted(dict.fromkeys(met), key=lambda entry: (entry.from_ms, entry.kind.value, entry.id))


def _who_leaves(state: FactoryState, nodes: Iterable[str], now: int, from_ms: int) -> dict[str, int]:
    """Return how many attempts run there, how many of them will be asked to leave, and how many have less than their grace."""
    attempts = [state.scheduler.holding[attempt] for attempt in attempts_on_any(state, nodes)]
    leaving = [job for job in attempts if job.running_ms is None or job.releases_ms() > from_ms]
    short = sum(job.grace_ms > from_ms - now for job in leaving)
    return {"attempts_on_them": len(attempts), "attempts_leaving": len(leaving), "attempts_with_less_grace": short}


def _some(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
