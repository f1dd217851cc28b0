"""Alarms from readings, one at a time: outside the band around what is expected, an alarm is raised; back inside, it is cleared.

The band is as wide as `sigmas` robust standard deviations of the recent errors of the forecast, and never narrower than `floor`
of the expected value. The floor of 5 % is the largest error that a water meter of class 2 may have by OIML R 49-1 (ISO 4064-1):
a deviation within the meter's own tolerance is no finding. Values outside the band are not learned, so a fault does not become
normal; only what lasts for a week is taken as the new normal, and that is said.
"""

from bisect import bisect_left, insort
from collections import deque
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from forecast import CANDIDATES, HOUR_MS, Calendar, Forecaster

MAD_TO_SIGMA = 1.4826
"""For normal errors the standard deviation is this many times the median of their sizes (Rousseeuw and Croux 1993)."""
ERRORS_HOURS = 168
ERRORS_MAX = 10_080
ERRORS_MIN = 12


@dataclass(frozen=True)
class Band:
    sigmas: float = 6.0
    floor: float = 0.05
    clear_after: int = 2
    """Values inside the band, one after another, that end an alarm."""
    accept_after_ms: int = 168 * HOUR_MS


class Change(Enum):
    NONE = "none"
    RAISED = "raised"
    CLEARED = "cleared"
    ACCEPTED = "accepted"
    """The alarm lasted so long that its level is taken as the new normal."""


@dataclass(frozen=True, slots=True)
class Verdict:
    expected: float | None
    half_width: float
    is_outside: bool
    change: Change


class Errors:
    """The sizes of recent forecast errors; their median is kept in order."""

    def __init__(self, kept: int) -> None:
        self.recent: deque[float] = deque(maxlen=kept)
        self._sorted: list[float] = []

    def add(self, size: float) -> None:
        if len(self.recent) == self.recent.maxlen:
            del self._sorted[bisect_left(self._sorted, self.recent[0])]
        self.recent.append(size)
        insort(self._sorted, size)

    @property
    def sigma(self) -> float | None:
        count = len(self._sorted)
        if count < ERRORS_MIN:
            return None
        middle = (self._sorted[(count - 1) // 2] + self._sorted[count // 2]) / 2
        return MAD_TO_SIGMA * middle


class Detector:
    """Forecaster and band together; `state` and `restore` carry it from the batch to the stream."""

    def __init__(self, method: str, calendar: Calendar, step_ms: int, band: Band) -> None:
        self.method, self.calendar, self.step_ms, self.band = method, calendar, step_ms, band
        self.forecaster: Forecaster = CANDIDATES[method](calendar, step_ms)
        self.errors = Errors(max(ERRORS_MIN, min(ERRORS_MAX, ERRORS_HOURS * HOUR_MS // step_ms)))
        self.alarm_since: int | None = None
        self.inside = 0

    def warm(self, at_ms: int, value: float) -> float | None:
        """Learns a value that is known to be undisturbed; the error it was forecast with, or None."""
        expected = self.forecaster.expect(at_ms)
        self.forecaster.learn(at_ms, value)
        if expected is None:
            return None
        self.errors.add(abs(value - expected))
        return abs(value - expected)

    def fill(self, at_ms: int, value: float) -> None:
        """Learns a value that was filled in; it is not judged, and says nothing about the size of errors."""
        if self.alarm_since is None:
            self.forecaster.learn(at_ms, value)

    def step(self, at_ms: int, value: float) -> Verdict:
        expected, sigma = self.forecaster.expect(at_ms), self.errors.sigma
        if expected is None or sigma is None:
            self.warm(at_ms, value)
            return Verdict(expected, 0.0, False, Change.NONE)
        half_width = max(self.band.sigmas * sigma, self.band.floor * abs(expected))
        if abs(value - expected) <= half_width:
            self.warm(at_ms, value)
            return Verdict(expected, half_width, False, self._inside())
        return Verdict(expected, half_width, True, self._outside(at_ms, value))

    def _inside(self) -> Change:
        self.inside += 1
        if self.alarm_since is None or self.inside < self.band.clear_after:
            return Change.NONE
        self.alarm_since = None
        return Change.CLEARED

    def _outside(self, at_ms: int, value: float) -> Change:
        self.inside = 0
        if self.alarm_since is None:
            self.alarm_since = at_ms
            return Change.RAISED
        if at_ms - self.alarm_since < self.band.accept_after_ms:
            return Change.NONE
        self.alarm_since = None
        self.forecaster = CANDIDATES[self.method](self.calendar, self.step_ms)
        self.forecaster.learn(at_ms, value)
        return Change.ACCEPTED

    def state(self) -> dict[str, Any]:
        return {
            "method": self.method, "time_zone": self.calendar.zone.key, "step_ms": self.step_ms, "band": asdict(self.band),
            "forecaster": self.forecaster.state(), "errors": list(self.errors.recent),
            "alarm_since": self.alarm_since, "inside": self.inside,
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: dict[str, Any], calendar: Calendar) -> "Detector":
        detector = cls(state["method"], calendar, state["step_ms"], Band(**state["band"]))
        detector.forecaster.restore(state["forecaster"])
        for size in state["errors"]:
            detector.errors.add(size)
        detector.alarm_since, detector.inside = state["alarm_since"], state["inside"]
        return detector
