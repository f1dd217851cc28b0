"""An even series out of uneven readings: one value a step, short gaps filled and counted, long ones left open."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from itertools import chain, islice, pairwise

from readings import Readings, Repairs
from unreadable import Unreadable

MINUTE_MS = 60_000
STEP_READINGS = 5000
"""So many readings decide what the step is."""
STEPS_FILLED_MAX = 3


class Kind(Enum):
    OBSERVED = "observed"
    FILLED = "filled"
    GAP = "gap"
    """No value: the series ends here and goes on at the next point."""


@dataclass(frozen=True, slots=True)
class Point:
    at_ms: int
    value: float
    kind: Kind = Kind.OBSERVED


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class Series:
    """Iterates over points; `step_ms` is known at once, period and counts after the last one."""

    def __init__(self, readings: Readings, step_ms: int | None = None) -> None:
        self.repairs: Repairs = readings.repairs
        ordered = _in_order(readings)
        head = list(islice(ordered, STEP_READINGS))
        if len(head) < 3:
            raise Unreadable(f"the file has {len(head)} usable measurements", "Bring at least some days of values")
        self.step_ms = step_ms or max(_usual_step(head), MINUTE_MS)
        self._stepped = _stepped(chain(head, ordered), self.step_ms, head[0][0] % self.step_ms, self.repairs)
        self.first_ms, self.last_ms, self.observed = head[0][0], head[0][0], 0
        self.gaps_ms = 0

    def __iter__(self) -> Iterator[Point]:
        previous: Point | None = None
        for point in self._stepped:
            if previous is not None:
                yield from self._between(previous, point)
            self.observed += 1
            self.last_ms = point.at_ms
            yield point
            previous = point

    def _between(self, before: Point, after: Point) -> Iterator[Point]:
        missing = (after.at_ms - before.at_ms) // self.step_ms - 1
        if missing <= 0:
            return
        if missing > STEPS_FILLED_MAX:
            self.repairs.add("long_gap")
            self.repairs.add("steps_in_long_gaps", times=missing)
            self.gaps_ms += missing * self.step_ms
            yield Point(before.at_ms + self.step_ms, 0.0, Kind.GAP)
            return
        self.repairs.add("short_gap")
        self.repairs.add("steps_filled", times=missing)
        for number in range(1, missing + 1):
            share = number / (missing + 1)
            yield Point(before.at_ms + number * self.step_ms, before.value + share * (after.value - before.value), Kind.FILLED)


def _in_order(readings: Readings) -> Iterator[tuple[int, float]]:
    """Readings with values, each instant once and later than the one before."""
    last_ms, last_value = -1, 0.0
    for at_ms, value, line in readings:
        if value is None:
            continue
        if at_ms > last_ms:
            last_ms, last_value = at_ms, value
            yield at_ms, value
        elif at_ms == last_ms:
            readings.repairs.add("duplicate" if value == last_value else "contradiction", line, f"{iso(at_ms)} {value:g}")
        else:
            readings.refuse_order(line, iso(at_ms))


def _usual_step(readings: list[tuple[int, float]]) -> int:
    steps = Counter(later[0] - earlier[0] for earlier, later in pairwise(readings))
    most = max(steps.values())
    return min(step for step, count in steps.items() if count == most)


def _stepped(readings: Iterable[tuple[int, float]], step_ms: int, phase_ms: int, repairs: Repairs) -> Iterator[Point]:
    """The mean of all readings nearest to each step."""
    half = step_ms // 2
    place, until, total, count = 0, -1, 0.0, 0
    for at_ms, value in readings:
        if at_ms < until:
            total += value
            count += 1
            continue
        if count:
            yield Point(place * step_ms + phase_ms, total / count)
            if count > 1:
                repairs.add("averaged", times=count - 1)
        place = (at_ms - phase_ms + half) // step_ms
        until = (place + 1) * step_ms + phase_ms - half
        total, count = value, 1
    if count:
        yield Point(place * step_ms + phase_ms, total / count)
        if count > 1:
            repairs.add("averaged", times=count - 1)
