"""How long things took, of the newest ones: percentiles by nearest rank, so each is a value that was really seen."""

import math
from collections import deque
from typing import Any

KEPT = 100_000


class Latency:
    def __init__(self) -> None:
        self.count = 0
        self._newest: deque[float] = deque(maxlen=KEPT)

    def add(self, milliseconds: float) -> None:
        self.count += 1
        self._newest.append(milliseconds)

    def document(self) -> dict[str, Any]:
        """Milliseconds; percentiles are those of the newest 100,000."""
        ordered = sorted(self._newest)
        if not ordered:
            return {"count": 0, "p50_ms": None, "p99_ms": None, "max_ms": None}
        return {"count": self.count, "p50_ms": percentile(ordered, 50), "p99_ms": percentile(ordered, 99), "max_ms": round(ordered[-1], 3)}

    def line(self) -> str:
        found = self.document()
        return "none" if not self.count else f"p50={found['p50_ms']:g} ms p99={found['p99_ms']:g} ms (n={self.count})"


def percentile(ordered: list[float], percent: int) -> float:
    return round(ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)], 3)
