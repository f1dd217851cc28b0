"""Chooses the method on calibration data alone, before the first value that is to be judged is looked at.

The calibration part holds no known anomaly, so there is nothing to find in it: faults are put into copies of it. These faults are
**simulated** and say so wherever their figures stand. The method that finds most of them without an alarm on the untouched
copy wins; among equals the earlier alarm, then the smaller error of the forecast.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from detector import Band, Change, Detector
from forecast import CANDIDATES, HOUR_MS, NEEDS, Calendar, is_installed
from series import Kind, Point

FAULTS: dict[str, tuple[int, Callable[[float, float], float]]] = {
    "drop": (12, lambda value, hours: value * 0.8),
    "surge": (2, lambda value, hours: value * 1.1),
    "creep": (24, lambda value, hours: value * (1 - 0.01 * hours)),
}
"""Name: hours it lasts, and what it makes of a value so many hours after its start."""
STARTS_MAX = 8


@dataclass(frozen=True)
class Result:
    """What a candidate did on the trial half of the calibration data."""

    method: str
    mean_error: float
    false_alarms: int
    found: int
    injected: int
    mean_delay_h: float | None
    """From the start of a simulated fault to its alarm, over those found."""

    @property
    def rank(self) -> tuple[float, ...]:
        return (self.false_alarms - self.found, math.inf if self.mean_delay_h is None else self.mean_delay_h, self.mean_error)

    def document(self) -> dict[str, Any]:
        rounded = {key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(self).items()}
        return rounded | {"label": "faults simulated, data measured"}


@dataclass(frozen=True)
class Choice:
    method: str
    results: list[Result]
    left_out: dict[str, str]
    """Candidates that were not tried, and why: `too_short` or `not_installed`."""


def choose(points: list[Point], calendar: Calendar, step_ms: int, band: Band, wish: str | None = None) -> Choice:
    """The best candidate on these points, all of which are taken as undisturbed."""
    lasted_ms = len(points) * step_ms
    left_out = {}
    for name in CANDIDATES:
        if not is_installed(name):
            left_out[name] = "not_installed"
        elif name in NEEDS and lasted_ms < NEEDS[name].total_seconds() * 1000:
            left_out[name] = "too_short"
    results = [_try(name, points, calendar, step_ms, band) for name in CANDIDATES if name not in left_out]
    best = min(results, key=lambda result: result.rank).method
    return Choice(wish or best, results, left_out)


def _try(method: str, points: list[Point], calendar: Calendar, step_ms: int, band: Band) -> Result:
    half = len(points) // 2
    warmed = Detector(method, calendar, step_ms, band)
    for point in points[:half]:
        warmed.warm(point.at_ms, point.value)
    trial = points[half:]
    sizes = _errors(_copy(warmed), trial)
    false_alarms = sum(_alarms(_copy(warmed), trial))
    delays, injected = [], 0
    for hours, fault in FAULTS.values():
        lasts = max(1, hours * HOUR_MS // step_ms)
        starts = range(0, max(1, len(trial) - lasts + 1))
        for start in list(starts)[:: max(1, math.ceil(len(starts) / STARTS_MAX))]:
            injected += 1
            hurt = _with_fault(trial, start, lasts, fault)
            raised = next((at_ms for at_ms in _raised(_copy(warmed), hurt) if at_ms >= trial[start].at_ms), None)
            if raised is not None:
                delays.append((raised - trial[start].at_ms) / HOUR_MS)
    return Result(method, sum(sizes) / max(1, len(sizes)), false_alarms, len(delays), injected, sum(delays) / len(delays) if delays else None)


def _copy(detector: Detector) -> Detector:
    return Detector.from_state(detector.state(), detector.calendar)


def _errors(detector: Detector, points: list[Point]) -> list[float]:
    found = (detector.warm(point.at_ms, point.value) for point in points if point.kind is Kind.OBSERVED)
    return [size for size in found if size is not None]


def _raised(detector: Detector, points: list[Point]) -> list[int]:
    return [point.at_ms for point in points if detector.step(point.at_ms, point.value).change is Change.RAISED]


def _alarms(detector: Detector, points: list[Point]) -> list[bool]:
    return [True for _ in _raised(detector, points)]


def _with_fault(points: list[Point], start: int, lasts: int, fault: Callable[[float, float], float]) -> list[Point]:
    """A copy up to the fault's end, with the fault in it."""
    first_ms = points[start].at_ms
    end = points[start : start + lasts]
    return points[:start] + [Point(point.at_ms, fault(point.value, (point.at_ms - first_ms) / HOUR_MS)) for point in end]
