"""Which equal nodes take the place of some that a booking cannot use any more."""

from collections.abc import Collection, Mapping, Sequence

from eisbach.core.booking.timetable import LEVELS, Ask, Stand, choose, free_at


def moved(
    stand: Stand,
    nodes: Sequence[str],
    bad: Collection[str],
    span: tuple[int, int],
    ready: Mapping[str, int],
    closed: Collection[str],
    level: str,
    *,
    is_begun: bool,
) -> tuple[str, ...]:
    """Return the nodes of a booking after a move; fewer than before where nothing takes the place of some.

    `span` are the minutes from which and until which nodes are needed. Before the window begins all of it may move to another
    domain of the same level; inside it the good nodes stay, and others come from the same domain first.
    """
    start, end = span
    good = [name for name in nodes if name not in bad]
    ask = Ask(nodes=len(nodes), length=end - start, first=start, last=start)
    spare = [name for name in free_at(stand, ask, start, ready, {*closed, *bad}) if name not in good]
    if not is_begun and level in LEVELS:
        whole = Ask(nodes=len(nodes), length=end - start, first=start, last=start, within=level)
        order = set(spare) | set(good)
        chosen = choose(stand, whole, [name for name in stand.nodes if name in order])
        if chosen is not None and not _is_near(stand, good, spare, level, len(nodes)):
            return chosen[0]
    domains = stand.domains.get(level, {})
    own = {domains.get(name, "") for name in good or nodes}
    spare.sort(key=lambda name: domains.get(name, "") not in own)  # stable: else the order of the fleet
    return (*good, *spare[: len(nodes) - len(good)])


def _is_near(stand: Stand, good: Sequence[str], spare: Sequence[str], level: str, nodes: int) -> bool:
    """Return whether the domain of the nodes that stay has enough others."""
    domains = stand.domains[level]
    own = {domains.get(name, "") for name in good}
    return bool(good) and len(good) + sum(domains.get(name, "") in own for name in spare) >= nodes
