"""What plots need of a long series, in memory that does not grow: pieces are joined two by two when there are too many."""

from dataclasses import dataclass

PIECES_MAX = 6000


@dataclass(slots=True)
class Piece:
    start_ms: int
    end_ms: int
    least: float
    most: float
    low: float | None
    high: float | None
    """The band: lowest lower edge, highest upper edge; None where nothing was expected yet."""
    gap_before: bool = False


class Trace:
    def __init__(self, step_ms: int) -> None:
        self.pieces: list[Piece] = []
        self.piece_ms = step_ms
        self._joined, self._waiting = 1, 0
        self._gap = False

    def gap(self) -> None:
        self._gap = True

    def add(self, at_ms: int, value: float, low: float | None, high: float | None) -> None:
        last = self.pieces[-1] if self.pieces else None
        if last is not None and not self._gap and 0 < self._waiting < self._joined:
            _join(last, Piece(at_ms, at_ms, value, value, low, high))
            self._waiting += 1
            return
        self.pieces.append(Piece(at_ms, at_ms, value, value, low, high, self._gap))
        self._gap, self._waiting = False, 1
        if len(self.pieces) > PIECES_MAX:
            self._halve()

    def _halve(self) -> None:
        joined: list[Piece] = []
        is_open = False
        for piece in self.pieces:
            if is_open and not piece.gap_before:
                _join(joined[-1], piece)
                is_open = False
            else:
                joined.append(piece)
                is_open = True
        self.pieces = joined
        self._joined *= 2
        self.piece_ms *= 2


def _join(into: Piece, piece: Piece) -> None:
    into.end_ms = piece.end_ms
    into.least, into.most = min(into.least, piece.least), max(into.most, piece.most)
    if piece.low is not None and piece.high is not None:
        into.low = piece.low if into.low is None else min(into.low, piece.low)
        into.high = piece.high if into.high is None else max(into.high, piece.high)
