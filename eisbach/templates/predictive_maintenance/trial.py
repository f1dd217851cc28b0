"""Chooses the method on calibration data alone, before the first value that is to be judged is looked at.

The calibration part holds no known anomaly, so there is nothing to find in it: faults are put into copies of it. These faults are
**simulated** and say so wherever their figures stand. The method that finds most of them without an alarm on the untouched
copy wins; among equals the earlier alarm, then the smaller error of the forecast.
"""

import math
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from detector import MAD_TO_SIGMA, Band, Change, Detector
from forecast import CANDIDATES, HOUR_MS, NEEDS, Calendar, is_installed
from series import Kind, Point


@dataclass(frozen=True)
class Fault:
    """A simulated fault: how long it lasts, and what it makes of a value so many hours after its start."""

    name: str
    hours: int
    makes: Callable[[float, float], float]

    def steps(self, step_ms: int) -> int:
        return max(1, self.hours * HOUR_MS // step_ms)


FAULTS = (
    Fault("drop", 12, lambda value, hours: value * 0.8),
    Fault("surge", 2, lambda value, hours: value * 1.1),
    Fault("creep", 24, lambda value, hours: value * (1 - 0.01 * hours)),
)
STARTS_MAX = 8
FAR = 0.2


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


def suspects(points: list[Point], band: Band) -> int:
    """How many values of the calibration data lie so far from their median that they hardly are undisturbed.

    Far is more than the band's sigmas by the median deviation, which covers a rhythm of the day, and more than `FAR` of the median.
    """
    values = sorted(point.value for point in points)
    middle = statistics.median(values)
    deviation = statistics.median([abs(value - middle) for value in values])
    far = max(band.sigmas * MAD_TO_SIGMA * deviation, FAR * abs(middle))
    return sum(abs(value - middle) > far for value in values)


def _try(method: str, points: list[Point], calendar: Calendar, step_ms: int, band: Band) -> Result:
    half = len(points) // 2
    warmed = Detector(method, calendar, step_ms, band)
    for point in points[:half]:
        warmed.warm(point.at_ms, point.value)
    trial = points[half:]
    sizes = _errors(_copy(warmed), trial)
    planned = _planned(len(trial), step_ms)
    false_alarms, delays = 0, []
    for place, point in enumerate(trial):
        for fault in planned.get(place, ()):
            raised = _first_alarm(_copy(warmed), trial[place : place + fault.steps(step_ms)], fault)
            if raised is not None:
                delays.append((raised - point.at_ms) / HOUR_MS)
        false_alarms += warmed.step(point.at_ms, point.value).change is Change.RAISED
    injected = sum(map(len, planned.values()))
    return Result(method, sum(sizes) / max(1, len(sizes)), false_alarms, len(delays), injected, sum(delays) / len(delays) if delays else None)


def _planned(length: int, step_ms: int) -> dict[int, list[Fault]]:
    """Which faults begin at which place of the trial: each kind at up to `STARTS_MAX` places, evenly spread."""
    planned: dict[int, list[Fault]] = {}
    for fault in FAULTS:
        room = max(1, length - fault.steps(step_ms) + 1)
        for start in range(0, room, math.ceil(room / STARTS_MAX)):
            planned.setdefault(start, []).append(fault)
    return planned


def _first_alarm(detector: Detector, points: list[Point], fault: Fault) -> int | None:
    """When an alarm is raised within a fault that begins with the first of these points."""
    for point in points:
        hours = (point.at_ms - points[0].at_ms) / HOUR_MS
        if detector.step(point.at_ms, fault.makes(point.value, hours)).change is Change.RAISED:
            return point.at_ms
    return None


def _copy(detector: Detector) -> Detector:
    return Detector.from_state(detector.state(), detector.calendar)


def _errors(detector: Detector, points: list[Point]) -> list[float]:
    found = (detector.warm(point.at_ms, point.value) for point in points if point.kind is Kind.OBSERVED)
    return [size for size in found if size is not None]
