"""What happens by itself: closures of nodes that begin and end, and the attempts that must have left by then."""

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from eisbach.core.capacity.fleet import Share
from eisbach.core.capacity.inventory import Node

SLACK: Final = 1_000
"""Attempts that are over and still kept in the heap, beyond as many as are to leave: of a closure that is announced for next
month millions may come and go until then."""


class Agenda:
    """Instants at which something is due, and for each node the closures to come. Rebuilt from the state, never saved.

    An attempt leaves so early that its grace ends when the closure begins; what ends by itself until then is left alone by
    whoever asks (`due`).
    """

    __slots__ = ("_instants", "_leaving", "are_bookings_shaken", "closing", "has_lost_nodes", "is_shaken", "leaves", "stranded")

    def __init__(self) -> None:
        self._instants: list[int] = []
        self._leaving: list[tuple[int, str]] = []
        self.leaves: dict[str, int] = {}
        """attempt -> when it has to leave; what else is in the heap is over"""
        self.closing: dict[str, list[int]] = {}
        """node -> the closures to come, in order; while there are none, nobody need say who holds what"""
        self.has_lost_nodes = True
        """whether a node was lost since somebody looked who holds a share of it"""
        self.stranded: list[tuple[str, str]] = []
        """attempts that hold a share of a lost node, and that node, last ones first"""
        self.is_shaken = True
        """whether a promise may name a node that it cannot have, since somebody looked"""
        self.are_bookings_shaken = True
        """the same of bookings"""

    def shake(self) -> None:
        """Some nodes cannot be had any more, now or at a time to come."""
        self.is_shaken = self.are_bookings_shaken = True

    def settle(self, now: int) -> None:
        """All that was due, lost or shaken up to an instant has been looked at."""
        self.take_due(now)
        self.has_lost_nodes = self.is_shaken = self.are_bookings_shaken = False
        self.stranded = []

    def note(self, instant: int) -> None:
        """Something is due at an instant; it may turn out later that it is not any more."""
        heapq.heappush(self._instants, instant)

    def close(self, nodes: Iterable[str], from_ms: int) -> None:
        """These nodes close at an instant."""
        for node in nodes:
            insort(self.closing.setdefault(node, []), from_ms)
        self.note(from_ms)
        self.shake()

    def reopen(self, nodes: Iterable[str], from_ms: int) -> None:
        """A closure that was announced has begun, or does not come."""
        for node in nodes:
            starts = self.closing[node]
            del starts[bisect_left(starts, from_ms)]
            if not starts:
                del self.closing[node]

    def closes_ms(self, shares: Sequence[Share]) -> int | None:
        """Return when the first of the nodes of an attempt closes, or None."""
        closing = self.closing
        starts = [closing[share.node][0] for share in shares if share.node in closing]
        return min(starts) if starts else None

    def has_closing(self, shares: Iterable[Share], nodes: Mapping[str, Node]) -> bool:
        """Return whether a node of an attempt takes no work, or closes at a time to come."""
        return any(not nodes[share.node].available or share.node in self.closing for share in shares)

    def next_closing(self, node: str) -> int | None:
        """Return when a node closes next, or None."""
        starts = self.closing.get(node)
        return starts[0] if starts else None

    def hold(self, attempt: str, shares: Sequence[Share], grace_ms: int) -> None:
        """An attempt holds shares."""
        closes_ms = self.closes_ms(shares)
        if closes_ms is not None:
            self.leaves[attempt] = closes_ms - grace_ms
            heapq.heappush(self._leaving, (closes_ms - grace_ms, attempt))
            if len(self._leaving) > 2 * len(self.leaves) + SLACK:
                self._leaving = [(at_ms, one) for one, at_ms in self.leaves.items()]
                heapq.heapify(self._leaving)

    def let_go(self, attempt: str) -> None:
        """An attempt holds nothing any more."""
        self.leaves.pop(attempt, None)

    def is_calm(self, now: int) -> bool:
        """Return whether nothing is due, and nothing was lost or shaken since somebody looked."""
        if self.is_shaken or self.are_bookings_shaken or self.has_lost_nodes or self.stranded:
            return False
        instants, leaving = self._instants, self._leaving
        return not (instants and instants[0] <= now) and not (leaving and leaving[0][0] <= now)

    def is_due(self, now: int) -> bool:
        """Return whether anything is."""
        instants, leaving = self._instants, self._leaving
        return bool(instants and instants[0] <= now) or bool(leaving and leaving[0][0] <= now)

    def take_due(self, now: int) -> list[str]:
        """Forget all instants that are over, and return the attempts that may have to leave now."""
        while self._instants and self._instants[0] <= now:
            heapq.heappop(self._instants)
        attempts: list[str] = []
        while self._leaving and self._leaving[0][0] <= now:
            at_ms, attempt = heapq.heappop(self._leaving)
            if self.leaves.get(attempt) == at_ms:
                del self.leaves[attempt]
                attempts.append(attempt)
        return attempts

    def next_instant(self) -> int | None:
        """Return when something is due next, or None."""
        if not self._leaving:
            return self._instants[0] if self._instants else None
        leaves_ms = self._leaving[0][0]
        return min(leaves_ms, self._instants[0]) if self._instants else leaves_ms
