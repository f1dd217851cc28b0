"""Free capacity over time: which nodes are spoken for, from when until when, and by whom.

Every entry names its nodes (docs/decisions/0014, points 1 and 2): bookings, promised starts, maintenance windows and drains with a
deadline. The calendar dates the fleet: a node takes work only when that ends by the start of its next entry.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from eisbach.core.capacity.fleet import Fleet
from eisbach.core.vocabulary.closed_enum import ClosedEnum
from eisbach.core.vocabulary.invariant import require


class EntryKind(ClosedEnum):
    """What speaks for a node."""

    BOOKING = "booking"
    PROMISE = "promise"
    MAINTENANCE = "maintenance"
    DRAIN = "drain"

    @property
    def is_tenants(self) -> bool:
        """Return whether a tenant is to have the nodes; two such entries never meet on a node."""
        return self is EntryKind.PROMISE or self is EntryKind.BOOKING


EntryKey = tuple[EntryKind, str]


class Entry(NamedTuple):
    """Nodes that are spoken for from one instant until another, which is no longer in it.

    Where `is_shared`, it needs only a part of each node and does not date them: whoever leaves it that part may be there too.
    """

    kind: EntryKind
    id: str
    from_ms: int
    until_ms: int
    nodes: tuple[str, ...]
    is_shared: bool = False

    @property
    def key(self) -> EntryKey:
        """Return what it is found by: an id is unique within its kind."""
        return (self.kind, self.id)


Slot = tuple[int, int, str, str, Entry]
"""From, until, kind and id of an entry, by which a node's entries are sorted, and the entry."""


class Calendar:
    """All entries, by key and by node. It dates the nodes of its fleet; time passes only by events that remove entries."""

    __slots__ = ("_fleet", "_on", "_starts", "changed", "entries", "freed", "promises", "shared")

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.entries: dict[EntryKey, Entry] = {}
        """all of them in the order in which they were added; for looking, never for changing"""
        self._on: dict[str, list[Slot]] = {}
        self._starts: list[int] = []
        self.promises: dict[str, Entry] = {}
        """job -> its promise"""
        self.shared = 0
        """how many entries share their nodes"""
        self.freed = 0
        """how often nodes were let go of: what did not fit may fit since"""
        self.changed: set[str] = set()
        """nodes whose entries changed since app/outlook.py looked at them"""

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        """Yield all entries in the order in which they were added."""
        return iter(self.entries.values())

    def get(self, kind: EntryKind, entry_id: str) -> Entry | None:
        """Return an entry, or None."""
        return self.entries.get((kind, entry_id))

    def add(self, entry: Entry) -> None:
        """Add an entry; raise BrokenInvariant where two of tenants would meet on a node."""
        kind, entry_id, from_ms, until_ms, nodes, is_shared = entry
        require((kind, entry_id) not in self.entries, "an entry of the calendar is added once")
        require(from_ms < until_ms, "an entry of the calendar has a length")
        self._check(kind, from_ms, until_ms, nodes)
        self.entries[kind, entry_id] = entry
        insort(self._starts, from_ms)
        if kind is EntryKind.PROMISE:
            self.promises[entry_id] = entry
        self.changed.update(nodes)
        is_alone = self._speak(nodes, _slot(entry))
        if is_shared:
            self.shared += 1
        elif is_alone:
            self._fleet.set_dated_alike(nodes, from_ms)
        else:
            self._date(nodes)

    def remove(self, kind: EntryKind, entry_id: str) -> Entry:
        """Take an entry out and return it."""
        entry = self.entries.pop((kind, entry_id))
        del self._starts[bisect_left(self._starts, entry.from_ms)]
        if kind is EntryKind.PROMISE:
            del self.promises[entry_id]
        self.freed += 1
        self.changed.update(entry.nodes)
        was_alone = self._fall_silent(entry.nodes, _slot(entry))
        if entry.is_shared:
            self.shared -= 1
        elif was_alone:
            self._fleet.set_dated_alike(entry.nodes, None)
        else:
            self._date(entry.nodes)
        return entry

    def replace(self, entry: Entry) -> Entry:
        """Put an entry in the place of the one with its kind and id, which is returned.

        It comes to the same as to remove the one and to add the other; where the times stay, fewer nodes are dated for it.
        """
        kind, entry_id, from_ms, until_ms, nodes, _ = entry
        before = self.entries[kind, entry_id]
        if before[2:4] != (from_ms, until_ms) or before.is_shared or entry.is_shared:
            self.remove(kind, entry_id)
            self.add(entry)
            return before
        kept = set(before.nodes).intersection(nodes)
        gone, come = [one for one in before.nodes if one not in kept], [one for one in nodes if one not in kept]
        self._check(kind, from_ms, until_ms, come)
        del self.entries[kind, entry_id]
        self.entries[kind, entry_id] = entry
        if kind is EntryKind.PROMISE:
            del self.promises[entry_id]
            self.promises[entry_id] = entry
        self.freed += 1
        self.changed.update(before.nodes, come)
        old, new, on = _slot(before), _slot(entry), self._on
        self._fall_silent(gone, old)
        self._speak(come, new)
        for node in kept:
            slots = on[node]
            slots[bisect_left(slots, old) if len(slots) > 1 else 0] = new
        self._date((*gone, *come))
        return before

    def move(self, kind: EntryKind, entry_id: str, nodes: tuple[str, ...]) -> None:
        """Put an entry on other nodes; its times stay."""
        self.replace(self.entries[kind, entry_id]._replace(nodes=nodes))

    def first_before(self, before_ms: int, but_for: str) -> Entry | None:
        """Return the entry that begins first before an instant, but for the promise of one job; None without one."""
        begins = (one for one in self.entries.values() if one.from_ms < before_ms and one.id != but_for)
        return min(begins, key=lambda entry: (entry.from_ms, entry.kind.value, entry.id), default=None)

    def starts(self, after_ms: int, before_ms: int) -> list[int]:
        """Return the instants between two at which entries begin, each once and in order; both ends are left out."""
        found = self._starts[bisect_right(self._starts, after_ms) : bisect_left(self._starts, before_ms)]
        return list(dict.fromkeys(found))

    def is_any_begun(self, now: int) -> bool:
        """Return whether any entry begins by an instant."""
        return bool(self._starts) and self._starts[0] <= now

    def next_start(self, after_ms: int) -> int | None:
        """Return when the next entry begins after an instant, or None."""
        at = bisect_right(self._starts, after_ms)
        return self._starts[at] if at < len(self._starts) else None

    def booked_now(self, now: int, until_ms: int) -> list[str]:
        """Return the nodes inside a booking that has begun and lasts until an instant, and of which nothing else begins by then."""
        begun = [one for one in self if one.kind is EntryKind.BOOKING and one.from_ms <= now and one.until_ms >= until_ms]
        begun.sort(key=lambda entry: entry.id)  # they were added in another order than after a restart
        return [node for one in begun for node in one.nodes if all(met is one for met in self.meeting(node, now, until_ms))]

    def without(self, promised: Collection[str] = ()) -> "View":
        """Return what a look along time sees of it, but for the promises of these jobs: until something in it changes."""
        shared = self.shared
        if shared and promised:
            shared -= sum(1 for job in promised if self.promises[job].is_shared)
        return View(self._on if len(self.entries) > len(promised) else {}, promised, shared)

    def on(self, node: str) -> Iterator[Entry]:
        """Yield the entries of a node by their start."""
        for slot in self._on.get(node, ()):
            yield slot[4]

    def meeting(self, node: str, from_ms: int, until_ms: int) -> Iterator[Entry]:
        """Yield the entries of a node that meet a window, by their start."""
        for start, end, _, _, entry in self._on.get(node, ()):
            if start >= until_ms:
                return
            if end > from_ms:
                yield entry

    def is_free(self, nodes: Iterable[str], from_ms: int, until_ms: int) -> bool:
        """Return whether no entry of these nodes meets a window."""
        return all(next(self.meeting(node, from_ms, until_ms), None) is None for node in nodes)

    def next_from(self, node: str, now: int) -> int | None:
        """Return the start of a node's earliest entry that is not over at `now`, which may lie in the past; None without one."""
        return next((slot[0] for slot in self._on.get(node, ()) if slot[1] > now), None)

    def _check(self, kind: EntryKind, from_ms: int, until_ms: int, nodes: Iterable[str]) -> None:
        """Raise BrokenInvariant where an entry of a tenant would meet another one on a node."""
        if kind.is_tenants:
            on = self._on
            for node in nodes:
                met = next(self.meeting(node, from_ms, until_ms), None) if node in on else None
                if met is not None:
                    require(not met.kind.is_tenants, "two entries of tenants never meet on a node")

    def _speak(self, nodes: Iterable[str], slot: Slot) -> bool:
        """Note at each of some nodes that an entry speaks for it; return whether no other does for any of them."""
        on, is_alone = self._on, True
        for node in nodes:
            slots = on.get(node)
            if slots is None:
                on[node] = [slot]
            else:
                insort(slots, slot)
                is_alone = False
        return is_alone

    def _fall_silent(self, nodes: Iterable[str], slot: Slot) -> bool:
        """Note at each of some nodes that an entry speaks for it no more; return whether no other does for any of them."""
        on, was_alone = self._on, True
        for node in nodes:
            slots = on[node]
            if len(slots) == 1:
                del on[node]
            else:
                del slots[bisect_left(slots, slot)]
                was_alone = False
        return was_alone

    def _date(self, nodes: Iterable[str]) -> None:
        on, alike, is_any_shared = self._on, dict[int | None, list[str]](), self.shared > 0
        for node in nodes:
            slots = on.get(node)
            if slots is None:
                date = None
            elif is_any_shared:
                date = next((slot[0] for slot in slots if not slot[4].is_shared), None)
            else:
                date = slots[0][0]
            dated = alike.get(date)
            if dated is None:
                alike[date] = [node]
            else:
                dated.append(node)
        for date, dated in alike.items():
            self._fleet.set_dated_alike(dated, date)


class View:
    """A calendar but for some of its promises: who is promised one start is asked about another."""

    __slots__ = ("_but", "_on", "shared")

    def __init__(self, on: Mapping[str, Sequence[Slot]], but: Collection[str], shared: int) -> None:
        self._on, self._but = on, but
        self.shared = shared
        """how many entries share their nodes"""

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is in it that could speak for a node."""
        return not self._on

    def first_after(self, node: str, instant: int) -> Entry | None:
        """Return the first entry of a node that is not over at an instant, or None."""
        but = self._but
        for slot in self._on.get(node, ()):
            if slot[1] > instant and not (but and slot[2] == _PROMISE and slot[3] in but):
                return slot[4]
        return None

    def by_first_entry(self, nodes: Sequence[str], instant: int) -> Sequence[tuple[Entry | None, Sequence[str]]]:
        """Return nodes in their order, those that stand together and have the same first entry not over at an instant as one."""
        on, but = self._on, self._but
        if not on:
            return [(None, nodes)]
        found: list[tuple[Entry | None, list[str]]] = []
        together: list[str] = []
        last: Entry | None = None
        for node in nodes:
            entry = None
            for slot in on.get(node, ()):
                if slot[1] > instant and not (but and slot[2] == _PROMISE and slot[3] in but):
                    entry = slot[4]
                    break
            if together and entry is last:
                together.append(node)
            else:
                last, together = entry, [node]
                found.append((entry, together))
        return found


_PROMISE: Final = EntryKind.PROMISE.value


def _slot(entry: Entry) -> Slot:
    return (entry.from_ms, entry.until_ms, entry.kind.value, entry.id, entry)
