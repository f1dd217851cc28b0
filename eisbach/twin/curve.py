"""An amount over time, as its mean in equal buckets: what was held from an instant to another is added in constant time."""

from collections import defaultdict


class Curve:
    """Sums `amount x milliseconds` of any number of intervals by bucket."""

    def __init__(self, begin_ms: int, bucket_ms: int) -> None:
        self._begin_ms, self._bucket_ms = begin_ms, bucket_ms
        self._partial: dict[int, int] = defaultdict(int)
        """bucket -> what changes within it contribute to it alone"""
        self._full: dict[int, int] = defaultdict(int)
        """bucket -> by how much the amount is higher from its beginning on"""

    def add(self, from_ms: int, until_ms: int, amount: int) -> None:
        """Add an amount that was held from an instant until another."""
        self._step(from_ms, amount)
        self._step(until_ms, -amount)

    def means(self, buckets: int) -> list[float]:
        """Return the mean amount in each of the first buckets."""
        level, found = 0, []
        for bucket in range(buckets):
            level += self._full.get(bucket, 0)
            found.append(level + self._partial.get(bucket, 0) / self._bucket_ms)
        return found

    def _step(self, at_ms: int, amount: int) -> None:
        bucket, into_ms = divmod(at_ms - self._begin_ms, self._bucket_ms)
        self._partial[bucket] += amount * (self._bucket_ms - into_ms)
        self._full[bucket + 1] += amount
