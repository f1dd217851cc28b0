"""Free capacity over time: which nodes are spoken for, from when until when, and by whom.

Every entry names its nodes (docs/decisions/0014, points 1 and 2): bookings, promised starts, maintenance windows and drains with a
deadline. The calendar dates the fleet: a node takes work only when that ends by the start of its next entry.
"""

from bisect import bisect_left, insort
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
    """Nodes that are spoken for from one instant until another, which is no longer in it."""

    kind: EntryKind
    id: str
    from_ms: int
    until_ms: int
    nodes: tuple[str, ...]

    @property
    def key(self) -> EntryKey:
        """Return what it is found by: an id is unique within its kind."""
        return (self.kind, self.id)


Slot = tuple[int, int, str, str]
"""From, until, kind and id of an entry, as it stands on one node."""


class Calendar:
    """All entries, by key and by node. It dates the nodes of its fleet; time passes only by events that remove entries."""

    __slots__ = ("_entries", "_fleet", "_on")

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._entries: dict[EntryKey, Entry] = {}
        self._on: dict[str, list[Slot]] = {}

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
        slot = _slot(entry)
        for node in entry.nodes:
            insort(self._on.setdefault(node, []), slot)
            self._date(node)

    def remove(self, kind: EntryKind, entry_id: str) -> Entry:
        """Take an entry out and return it."""
        entry = self._entries.pop((kind, entry_id))
        slot = _slot(entry)
        for node in entry.nodes:
            slots = self._on[node]
            del slots[bisect_left(slots, slot)]
            if not slots:
                del self._on[node]
            self._date(node)
        return entry

    def move(self, kind: EntryKind, entry_id: str, nodes: tuple[str, ...]) -> None:
        """Put an entry on other nodes; its times stay."""
        self.add(replace(self.remove(kind, entry_id), nodes=nodes))

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

    def _date(self, node: str) -> None:
        slots = self._on.get(node)
        dated = getattr(self._fleet, "set_dated", None)
        if dated is not None:
            dated(node, slots[0][0] if slots else None)


def _slot(entry: Entry) -> Slot:
    return (entry.from_ms, entry.until_ms, entry.kind.value, entry.id)
