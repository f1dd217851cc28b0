"""Alarms as events, and what they are worth against the documented segments.

An alarm event lasts from the first value outside the band to the value that clears it. A segment is **found** when an alarm is raised
between `EARLY_MS` before its start and its end; otherwise it is **missed**, also when an older alarm is still on. An event raised
at any other time is a **false alarm**. The **delay** is the first alarm minus the segment's start (below zero: it came before); the
**lead** is the segment's end minus the first alarm: how long there was left to act. All from time stamp to time stamp of the data.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from detector import Change, Verdict
from forecast import HOUR_MS
from series import iso
from unreadable import Unreadable

EARLY_MS = 3 * HOUR_MS
MONTH_H = 720.0
EVENTS_KEPT = 10_000
ALARM_COLUMNS = ("raised", "ended", "how", "value", "expected", "band_edge", "worst_value", "worst_deviation_percent", "values_outside")


@dataclass(frozen=True)
class Segment:
    """A stretch that is documented as anomalous; both ends belong to it."""

    kind: str
    start_ms: int
    end_ms: int


@dataclass
class Event:
    raised_ms: int
    value: float
    expected: float
    band_edge: float
    """The edge of the band that the first value crossed."""
    ended_ms: int | None = None
    how: str = "open"
    """`cleared`, `accepted` as the new normal, or still `open` at the end of the data."""
    worst_value: float = 0.0
    worst_deviation: float = 0.0
    """Largest share of the expected value by which it was missed; below zero is too little."""
    values: int = 0

    def see(self, value: float, expected: float) -> None:
        deviation = (value - expected) / abs(expected) if expected else 0.0
        if abs(deviation) >= abs(self.worst_deviation):
            self.worst_value, self.worst_deviation = value, deviation
        self.values += 1

    def document(self) -> dict[str, Any]:
        return {
            "raised": iso(self.raised_ms), "ended": iso(self.ended_ms) if self.ended_ms is not None else None, "how": self.how,
            "value": round(self.value, 4), "expected": round(self.expected, 4), "band_edge": round(self.band_edge, 4), "worst_value": round(self.worst_value, 4),
            "worst_deviation_percent": round(100 * self.worst_deviation, 2), "values_outside": self.values,
        }  # fmt: skip


@dataclass
class Events:
    """Collects verdicts into alarm events; beyond `EVENTS_KEPT` they are only counted."""

    kept: list[Event] = field(default_factory=list)
    count: int = 0
    judged: int = 0
    open: Event | None = None

    def add(self, at_ms: int, value: float, verdict: Verdict) -> Event | None:
        """The event that this value ended, if it did."""
        self.judged += 1
        expected = verdict.expected if verdict.expected is not None else value
        if verdict.change is Change.RAISED:
            edge = expected + (verdict.half_width if value > expected else -verdict.half_width)
            self.open = Event(at_ms, value, expected, edge)
            self.count += 1
            if self.count <= EVENTS_KEPT:
                self.kept.append(self.open)
        event = self.open
        if event is None:
            return None
        if verdict.is_outside:
            event.see(value, expected)
        if verdict.change in (Change.CLEARED, Change.ACCEPTED):
            event.ended_ms, event.how, self.open = at_ms, verdict.change.value, None
            return event
        return None


def read_segments(path: Path) -> list[Segment]:
    """From JSON: a list, or a document with `segments`; each has `from` and `to` with offset, and `kind`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        found = document["segments"] if isinstance(document, dict) else document
        return [Segment(str(one.get("kind", "known")), _instant(one["from"]), _instant(one["to"])) for one in found]
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}", "Name a JSON file with known segments") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(
            f"{path} does not list segments: {error!r}", 'Write [{"kind": "low", "from": "2022-03-24T08:00:00+01:00", "to": "..."}]'
        ) from error


def _instant(text: str) -> int:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text} has no offset such as +01:00")
    return round(instant.timestamp() * 1000)


def score(events: list[Event], segments: list[Segment], judged_ms: int, step_ms: int, known_ms: int) -> dict[str, Any]:
    """Figures of these events; `judged_ms` of data were judged, `known_ms` of them inside segments.

    Without segments nothing is known to be true or false: every event counts as an alarm, none as false. `of` gives the number of the
    segment that each event found, or None.
    """
    of = [next((number for number, segment in enumerate(segments, 1) if _touches(event, segment)), None) for event in events]
    outcomes = []
    for segment in segments:
        outcomes.append(_outcome(segment, next((event for event in events if _touches(event, segment)), None), step_ms))
    calm_h = max(0, judged_ms - known_ms) / HOUR_MS
    figures: dict[str, Any] = {
        "documented": len(segments), "found": sum(outcome["found"] for outcome in outcomes),
        "missed": sum(not outcome["found"] for outcome in outcomes), "alarms": len(events), "judged_hours": round(judged_ms / HOUR_MS, 2),
    }  # fmt: skip
    if segments:
        false = of.count(None)
        figures |= {"false_alarms": false, "false_alarms_per_30_days": round(false / calm_h * MONTH_H, 3) if calm_h else None, "calm_hours": round(calm_h, 2)}
    else:
        figures |= {"alarms_per_30_days": round(len(events) / calm_h * MONTH_H, 3) if calm_h else None}
    return figures | {"segments": outcomes, "of": of}


def _touches(event: Event, segment: Segment) -> bool:
    return segment.start_ms - EARLY_MS <= event.raised_ms <= segment.end_ms


def _outcome(segment: Segment, event: Event | None, step_ms: int) -> dict[str, Any]:
    outcome: dict[str, Any] = {"kind": segment.kind, "from": iso(segment.start_ms), "to": iso(segment.end_ms), "found": event is not None}
    if event is None:
        return outcome | {"first_alarm": None, "delay_h": None, "lead_h": None}
    end_ms = segment.end_ms + step_ms  # the last hour lasts an hour
    return outcome | {
        "first_alarm": iso(event.raised_ms),
        "delay_h": round((event.raised_ms - segment.start_ms) / HOUR_MS, 2),
        "lead_h": round((end_ms - event.raised_ms) / HOUR_MS, 2),
    }
