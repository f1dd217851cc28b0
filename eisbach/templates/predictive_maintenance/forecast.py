"""What the next value should be: forecasters that learn one value at a time and fit into a JSON document.

`CANDIDATES` are tried on the calibration part of the data (`trial.py`); none of them is better everywhere.
"""

from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import Any, Protocol
from zoneinfo import ZoneInfo

HOUR_MS = 3_600_000
LEVEL_HOURS = 24.0
"""Time constant of the level: what was a day ago weighs e times less."""
SEASONS_KEPT = 7.0
"""Time constant of each hour's offset, in visits of that hour."""


class Calendar:
    """Hour of the day and of the week in the plant's time zone; one conversion an hour of data."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone, self._hour, self._place = zone, -1, 0

    def hour_of_week(self, at_ms: int) -> int:
        quarter = at_ms // (HOUR_MS // 4)  # some time zones are off by a quarter of an hour
        if quarter != self._hour:
            wall = datetime.fromtimestamp(at_ms / 1000, self.zone)
            self._hour, self._place = quarter, wall.weekday() * 24 + wall.hour
        return self._place


class Forecaster(Protocol):
    """Expects, then learns; `state` is plain JSON and `restore` takes it back."""

    def expect(self, at_ms: int) -> float | None: ...
    def learn(self, at_ms: int, value: float) -> None: ...
    def state(self) -> dict[str, Any]: ...
    def restore(self, state: dict[str, Any]) -> None: ...


class LastValue:
    """Expects what was last seen: the baseline that any method has to beat."""

    def __init__(self, calendar: Calendar, step_ms: int) -> None:
        self.last: float | None = None

    def expect(self, at_ms: int) -> float | None:
        return self.last

    def learn(self, at_ms: int, value: float) -> None:
        self.last = value

    def state(self) -> dict[str, Any]:
        return {"last": self.last}

    def restore(self, state: dict[str, Any]) -> None:
        self.last = state["last"]


class Profile:
    """A level that follows slowly, and an offset for each slot of the day or the week; one slot is a level alone."""

    slots = 1

    def __init__(self, calendar: Calendar, step_ms: int) -> None:
        self.calendar = calendar
        self.level_rate = min(1.0, step_ms / (LEVEL_HOURS * HOUR_MS))
        self.slot_rate = min(1.0, step_ms / (SEASONS_KEPT * HOUR_MS))
        self.level: float | None = None
        self.learned = 0
        self.offsets: list[float] = [0.0] * self.slots
        self.visits: list[int] = [0] * self.slots

    def _slot(self, at_ms: int) -> int:
        return self.calendar.hour_of_week(at_ms) % self.slots

    def expect(self, at_ms: int) -> float | None:
        return None if self.level is None else self.level + self.offsets[self._slot(at_ms)]

    def learn(self, at_ms: int, value: float) -> None:
        slot = self._slot(at_ms)
        self.learned += 1
        if self.level is None:
            self.level = value
            return
        self.level += max(self.level_rate, 1 / self.learned) * (value - self.offsets[slot] - self.level)
        if self.slots > 1:
            self.visits[slot] += 1
            rate = max(self.slot_rate, 1 / self.visits[slot])
            self.offsets[slot] += rate * (value - self.level - self.offsets[slot])

    def state(self) -> dict[str, Any]:
        return {"level": self.level, "learned": self.learned, "offsets": self.offsets, "visits": self.visits}

    def restore(self, state: dict[str, Any]) -> None:
        self.level, self.learned = state["level"], state["learned"]
        self.offsets, self.visits = list(state["offsets"]), list(state["visits"])


class HourOfDay(Profile):
    slots = 24


class HourOfWeek(Profile):
    slots = 168


class HoltWinters:
    """Triple exponential smoothing of the package river, with a season of one day."""

    def __init__(self, calendar: Calendar, step_ms: int) -> None:
        from river.time_series import HoltWinters as Smoothing

        self.model = Smoothing(alpha=0.3, beta=0.1, gamma=0.5, seasonality=max(2, round(24 * HOUR_MS / step_ms)))

    def expect(self, at_ms: int) -> float | None:
        return float(self.model.forecast(1)[0]) if self.model._initialized else None

    def learn(self, at_ms: int, value: float) -> None:
        self.model.learn_one(value)

    def state(self) -> dict[str, Any]:
        model = self.model
        return {
            "first_values": list(model._first_values), "initialized": model._initialized,
            "level": list(model.level), "trend": list(model.trend), "season": list(model.season),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        model = self.model
        model._first_values, model._initialized = list(state["first_values"]), state["initialized"]
        for part, values in ((model.level, state["level"]), (model.trend, state["trend"]), (model.season, state["season"])):
            part.clear()
            part.extend(values)


CANDIDATES: dict[str, type[Forecaster]] = {
    "last-value": LastValue, "level": Profile, "hour-of-day": HourOfDay, "hour-of-week": HourOfWeek, "holt-winters": HoltWinters,
}  # fmt: skip
NEEDS: dict[str, timedelta] = {"hour-of-day": timedelta(days=2), "holt-winters": timedelta(days=2), "hour-of-week": timedelta(days=21)}
"""Warm-up and trial together have to last so long for a candidate to have seen each of its slots often enough."""
NEEDS_RIVER = {"holt-winters"}


def is_installed(candidate: str) -> bool:
    return candidate not in NEEDS_RIVER or find_spec("river") is not None
