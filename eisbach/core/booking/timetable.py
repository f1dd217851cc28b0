"""When nodes are free: their gaps between entries of the calendar, and the starts that a gang of whole nodes has in them.

Counted in whole minutes, so that entries only ever grow by the rounding and the numbers stay small (CPython compares and sorts
integers below 2^30 fastest). A query costs one pass over the gaps that are long enough, of the nodes of a flavour at a site; the gaps
themselves are only computed anew for nodes whose entries changed.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from eisbach.core.capacity.calendar import Calendar
from eisbach.core.capacity.inventory import Node
from eisbach.core.vocabulary.quantities import MINUTE_MS

FOREVER = 2**30 - 1
"""The end of the last gap, in minutes: beyond any window that may be asked for."""

NEAR = 14 * 24 * 60
"""A span in minutes that holds only few gaps of each node."""

LEVELS = ("nvlink", "rack", "row", "hall")
"""Levels of the topology below a site, the tightest first."""

Window = tuple[int, int]
"""First and last start, both possible, in minutes."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A gang of whole nodes for `length` minutes, begun no earlier than `first` and no later than `last`.

    `within` is the level of the topology that must hold all of it, empty where a site is enough.
    """

    nodes: int
    length: int
    first: int
    last: int
    within: str = ""


@dataclass(slots=True)
class Stand:
    """The nodes of one flavour at one site in the order of the fleet, with their gaps and where they stand."""

    site: str
    flavour: str
    nodes: list[str] = field(default_factory=list)
    gaps: dict[str, list[Window]] = field(default_factory=dict)
    """node -> (from, until) in which no entry is, by their start"""
    begins: dict[str, list[int]] = field(default_factory=dict)
    """node -> the starts of its gaps: what is looked up in, since numbers compare faster than pairs"""
    longest: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    """node -> (length, from, until) of the same, the longest first: a query stops at the first that is too short"""
    domains: dict[str, dict[str, str]] = field(default_factory=lambda: {level: {} for level in LEVELS})
    """level -> node -> the domain it stands in, unique within the site; nodes without one are left out"""
    sizes: dict[str, Counter[str]] = field(default_factory=lambda: {level: Counter() for level in LEVELS})
    """level -> how many nodes stand in each domain"""


class Timetable:
    """The stands of a fleet, kept up to date with its calendar."""

    __slots__ = ("_stand_of", "stands")

    def __init__(self, nodes: Iterable[Node], calendar: Calendar) -> None:
        self.stands: dict[tuple[str, str], Stand] = {}
        self._stand_of: dict[str, Stand] = {}
        for node in nodes:
            key = (node.site, node.flavour)
            stand = self.stands.setdefault(key, Stand(*key))
            stand.nodes.append(node.node)
            for level, domain in _domains_of(node):
                stand.domains[level][node.node] = domain
                stand.sizes[level][domain] += 1
            self._stand_of[node.node] = stand
        self.refresh(self._stand_of, calendar)

    def refresh(self, changed: Iterable[str], calendar: Calendar) -> None:
        """Compute the gaps of nodes anew whose entries changed."""
        for name in changed:
            stand = self._stand_of.get(name)
            if stand is not None:
                gaps = stand.gaps[name] = _gaps(calendar, name)
                stand.begins[name] = [start for start, _ in gaps]
                stand.longest[name] = sorted(((end - start, start, end) for start, end in gaps), reverse=True)


def _domains_of(node: Node) -> Iterable[tuple[str, str]]:
    if node.nvlink:
        yield "nvlink", node.nvlink
    if node.rack:
        yield "rack", f"{node.hall}/{node.row}/{node.rack}"
    if node.row:
        yield "row", f"{node.hall}/{node.row}"
    if node.hall:
        yield "hall", node.hall


def _gaps(calendar: Calendar, name: str) -> list[Window]:
    found: list[Window] = []
    free_from = 0
    for entry in calendar.on(name):
        start = entry.from_ms // MINUTE_MS
        if start > free_from:
            found.append((free_from, start))
        free_from = max(free_from, -(-entry.until_ms // MINUTE_MS))
    if free_from < FOREVER:
        found.append((free_from, FOREVER))
    return found


def windows(stand: Stand, ask: Ask, ready: Mapping[str, int], closed: Collection[str]) -> list[Window]:
    """Return all starts that the gang has at a stand, as windows in order that do not meet.

    `ready` says from which minute a node is free of running work (left out: now), `closed` are nodes that take nothing.
    """
    starts = _starts_by_domain(stand, ask, ready, closed)
    found = [window for first, last in starts for window in _enough(first, last, ask.nodes)]
    return _joined(found) if len(starts) > 1 else found


def _starts_by_domain(
    stand: Stand, ask: Ask, ready: Mapping[str, int], closed: Collection[str]
) -> list[tuple[list[int], list[int]]]:
    """Return for each domain with enough nodes the first and the last starts of their gaps, each sorted."""
    domain_of = stand.domains[ask.within] if ask.within else None
    sizes = stand.sizes[ask.within] if ask.within else {}
    by_domain: dict[str, tuple[list[int], list[int]]] = {}
    for name in stand.nodes if domain_of is None else domain_of:
        if name in closed:
            continue
        domain = "" if domain_of is None else domain_of[name]
        if domain_of is not None and sizes[domain] < ask.nodes:
            continue
        known = by_domain.get(domain)
        if known is None:
            known = by_domain[domain] = ([], [])
        _add_starts(stand, name, ask, max(ask.first, ready.get(name, 0)), known)
    found = [pair for pair in by_domain.values() if len(pair[0]) >= ask.nodes]
    for firsts, lasts in found:
        firsts.sort()
        lasts.sort()
    return found


def _add_starts(stand: Stand, name: str, ask: Ask, since: int, known: tuple[list[int], list[int]]) -> None:
    """Add the first and the last start in each gap of a node: of a near span by time, else by length."""
    length, last = ask.length, ask.last
    firsts, lasts = known
    if last - ask.first <= NEAR:
        begins = stand.begins[name]
        at = bisect_right(begins, since) - 1
        for start, end in stand.gaps[name][at if at > 0 else 0 : bisect_right(begins, last)]:
            begin = start if start > since else since
            latest = end - length
            if begin <= latest and begin <= last:
                firsts.append(begin)
                lasts.append(latest if latest < last else last)
        return
    for size, start, end in stand.longest[name]:
        if size < length:
            return
        latest = end - length
        begin = start if start > since else since
        if begin <= latest and begin <= last:
            firsts.append(begin)
            lasts.append(latest if latest < last else last)


def _enough(firsts: Sequence[int], lasts: Sequence[int], nodes: int) -> list[Window]:
    """Return when at least so many of the gaps with these first and last starts are open at once; both are sorted.

    The n-th gap of a moment opens no later than the moment and fewer than (opened - n) have closed before it.
    """
    found: list[Window] = []
    closed, count = 0, len(firsts)
    opened = nodes - 1
    while opened < count:
        # At firsts[opened], opened + 1 gaps have opened; those whose last start lies before it are closed.
        at = firsts[opened]
        while lasts[closed] < at:
            closed += 1
        if opened + 1 - closed < nodes:
            opened = closed + nodes - 1
            continue
        # It lasts until so many have closed that fewer than `nodes` are left, unless others open in time.
        until = lasts[opened + 1 - nodes]
        while opened + 1 < count and firsts[opened + 1] <= until:
            opened += 1
            until = lasts[opened + 1 - nodes]
        found.append((at, until))
        opened += 1
    return found


def _joined(found: list[Window]) -> list[Window]:
    joined: list[Window] = []
    for first, last in sorted(found):
        if joined and first <= joined[-1][1] + 1:
            if last > joined[-1][1]:
                joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined


def free_at(stand: Stand, ask: Ask, at: int, ready: Mapping[str, int], closed: Collection[str]) -> list[str]:
    """Return the nodes that are free from a minute for the length of the ask, in the order of the fleet."""
    until, begins, gaps = at + ask.length, stand.begins, stand.gaps
    found = []
    for name in stand.nodes:
        if name in closed or ready.get(name, 0) > at:
            continue
        place = bisect_right(begins[name], at) - 1
        if place >= 0 and gaps[name][place][1] >= until:
            found.append(name)
    return found


def choose(stand: Stand, ask: Ask, free: Sequence[str]) -> tuple[tuple[str, ...], str, str] | None:
    """Return the nodes that a gang takes of those that are free, and the tightest domain that holds them (level and name).

    The tightest level at which a domain holds the gang, in it the domain with the fewest free nodes; where none does, or
    level `within` is passed, the site as far as it may be. In a domain that is larger than a rack whole free racks go first. None where they do not fit.
    """
    for level in LEVELS:
        if not stand.domains[level] and level != ask.within:
            continue
        in_domain = _by_domain(free, stand.domains[level])
        fitting = [(len(names), domain) for domain, names in in_domain.items() if len(names) >= ask.nodes]
        if fitting:
            _, domain = min(fitting)
            return _fullest_first(stand, in_domain[domain], ask.nodes), level, domain
        if level == ask.within:
            return None
    if len(free) < ask.nodes or ask.within:
        return None
    return _fullest_first(stand, free, ask.nodes), "site", stand.site


def _by_domain(names: Sequence[str], domain_of: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        domain = domain_of.get(name)
        if domain is not None:
            found.setdefault(domain, []).append(name)
    return found


def _fullest_first(stand: Stand, names: Sequence[str], nodes: int) -> tuple[str, ...]:
    """Return nodes from the racks with the most free ones; the last rack is the one that what is left fills best."""
    racks = stand.domains["rack"]
    by_rack: dict[str, list[str]] = {}
    for name in names:
        by_rack.setdefault(racks.get(name, ""), []).append(name)
    left = sorted(by_rack.values(), key=len, reverse=True)
    chosen: list[str] = []
    while len(chosen) < nodes:
        wanted = nodes - len(chosen)
        enough = [one for one in left if len(one) >= wanted]
        taken = enough[-1] if enough else left[0]
        left.remove(taken)
        chosen += taken[:wanted]
    return tuple(chosen)
