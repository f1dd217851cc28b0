"""Free capacity over time: which nodes are spoken for, from when until when, and by whom.

Every entry names its nodes (docs/decisions/0014, points 1 and 2): bookings, promised starts, maintenance windows and drains with a
deadline. The calendar dates the fleet: a node takes work only when that ends by the start of its next entry.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from eisbach.core.capacity.fleet import Fleet
from eisbach.core.vocabulary.invariant import require


class EntryKind(Enum):
    """What speaks for a node."""

    BOOKING = "booking"
    PROMISE = "promise"
    MAINTENANCE = "maintenance"
    DRAIN = "drain"

    @property
    def is_tenants(self) -> bool:
        """Return whether a tenant is to have the nodes; two such entries never meet on a node."""
        return self in (EntryKind.BOOKING, EntryKind.PROMISE)


EntryKey = tuple[EntryKind, str]


@dataclass(frozen=True, slots=True)
class Entry:
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


Slot = tuple[int, int, str, str]
"""From, until, kind and id of an entry, as it stands on one node."""


class Calendar:
    """All entries, by key and by node. It dates the nodes of its fleet; time passes only by events that remove entries."""

    __slots__ = ("_entries", "_fleet", "_on", "_starts", "changed", "freed", "promises", "shared")

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._entries: dict[EntryKey, Entry] = {}
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
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        """Yield all entries in the order in which they were added."""
        return iter(self._entries.values())

    def get(self, kind: EntryKind, entry_id: str) -> Entry | None:
        """Return an entry, or None."""
        return self._entries.get((kind, entry_id))

    def add(self, entry: Entry) -> None:
        """Add an entry; raise BrokenInvariant where two of tenants would meet on a node."""
        require(entry.key not in self._entries, "an entry of the calendar is added once")
        require(entry.from_ms < entry.until_ms, "an entry of the calendar has a length")
        if entry.kind.is_tenants:
            for node in entry.nodes:
                met = next(self.meeting(node, entry.from_ms, entry.until_ms), None)
                if met is not None:
                    require(not met.kind.is_tenants, "two entries of tenants never meet on a node")
        self._entries[entry.key] = entry
        insort(self._starts, entry.from_ms)
        if entry.kind is EntryKind.PROMISE:
            self.promises[entry.id] = entry
        self.changed.update(entry.nodes)
        slot = _slot(entry)
        for node in entry.nodes:
            insort(self._on.setdefault(node, []), slot)
        if entry.is_shared:
            self.shared += 1
        else:
            self._date(entry.nodes)

    def remove(self, kind: EntryKind, entry_id: str) -> Entry:
        """Take an entry out and return it."""
        entry = self._entries.pop((kind, entry_id))
        del self._starts[bisect_left(self._starts, entry.from_ms)]
        if kind is EntryKind.PROMISE:
            del self.promises[entry_id]
        self.freed += 1
        self.changed.update(entry.nodes)
        slot = _slot(entry)
        for node in entry.nodes:
            slots = self._on[node]
            del slots[bisect_left(slots, slot)]
            if not slots:
                del self._on[node]
        if entry.is_shared:
            self.shared -= 1
        else:
            self._date(entry.nodes)
        return entry

    def move(self, kind: EntryKind, entry_id: str, nodes: tuple[str, ...]) -> None:
        """Put an entry on other nodes; its times stay."""
        self.add(replace(self.remove(kind, entry_id), nodes=nodes))

    def first_before(self, before_ms: int, but_for: str) -> Entry | None:
        """Return the entry that begins first before an instant, but for the promise of one job; None without one."""
        begins = (one for one in self._entries.values() if one.from_ms < before_ms and one.id != but_for)
        return min(begins, key=lambda entry: (entry.from_ms, entry.kind.value, entry.id), default=None)

    def has(self, node: str) -> bool:
        """Return whether anything speaks for a node."""
        return node in self._on

    def starts(self, after_ms: int, before_ms: int) -> list[int]:
        """Return the instants between two at which entries begin, each once and in order; both ends are left out."""
        found = self._starts[bisect_right(self._starts, after_ms) : bisect_left(self._starts, before_ms)]
        return list(dict.fromkeys(found))

    def next_start(self, after_ms: int) -> int | None:
        """Return when the next entry begins after an instant, or None."""
        at = bisect_right(self._starts, after_ms)
        return self._starts[at] if at < len(self._starts) else None

    def booked_now(self, now: int, until_ms: int) -> list[str]:
        """Return the nodes inside a booking that has begun and lasts until an instant, and of which nothing else begins by then."""
        begun = [one for one in self if one.kind is EntryKind.BOOKING and one.from_ms <= now and one.until_ms >= until_ms]
        return [node for one in begun for node in one.nodes if all(met is one for met in self.meeting(node, now, until_ms))]

    def on(self, node: str) -> Iterator[Entry]:
        """Yield the entries of a node by their start."""
        for _, _, kind, entry_id in self._on.get(node, ()):
            yield self._entries[EntryKind(kind), entry_id]

    def meeting(self, node: str, from_ms: int, until_ms: int) -> Iterator[Entry]:
        """Yield the entries of a node that meet a window, by their start."""
        for start, end, kind, entry_id in self._on.get(node, ()):
            if start >= until_ms:
                return
            if end > from_ms:
                yield self._entries[EntryKind(kind), entry_id]

    def is_free(self, nodes: Iterable[str], from_ms: int, until_ms: int) -> bool:
        """Return whether no entry of these nodes meets a window."""
        return all(next(self.meeting(node, from_ms, until_ms), None) is None for node in nodes)

    def next_from(self, node: str, now: int) -> int | None:
        """Return the start of a node's earliest entry that is not over at `now`, which may lie in the past; None without one."""
        return next((start for start, end, _, _ in self._on.get(node, ()) if end > now), None)

    def _date(self, nodes: Iterable[str]) -> None:
        alike: dict[int | None, list[str]] = {}
        for node in nodes:
            slots = self._on.get(node, ())
            if self.shared:
                date = next((start for start, _, kind, key in slots if not self._is_shared(kind, key)), None)
            else:
                date = slots[0][0] if slots else None
            alike.setdefault(date, []).append(node)
        for date, dated in alike.items():
            self._fleet.set_dated_alike(dated, date)

    def _is_shared(self, kind: str, entry_id: str) -> bool:
        return self._entries[EntryKind(kind), entry_id].is_shared


def _slot(entry: Entry) -> Slot:
    return (entry.from_ms, entry.until_ms, entry.kind.value, entry.id)
