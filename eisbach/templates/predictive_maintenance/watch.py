"""The running detector: payloads in, answers out. It knows nothing of brokers and clocks; both are given to it."""

import csv
import io
import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from detector import Band, Change, Detector
from forecast import Calendar
from latency import Latency
from messages import Rejected, Value, read_value, shown
from readings import Limits
from score import ALARM_COLUMNS, Event, Events
from series import iso
from unreadable import Unreadable

FORMAT = "eisbach-predictive-maintenance-stream/1"

NEWEST_KEPT = 64
"""So many instants are remembered to tell a repetition from a contradiction."""
WARM_VALUES = 48


@dataclass(frozen=True)
class Answer:
    """What goes out: below the plant's topic, on `kind`."""

    kind: str
    document: dict[str, Any]
    sent_ms: float | None = None
    """When the value it answers left the plant."""


@dataclass
class Counts:
    received: int = 0
    judged: int = 0
    warming: int = 0
    repeated: int = 0
    alarms: int = 0
    cleared: int = 0
    answered: int = 0
    simulated: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    def document(self) -> dict[str, Any]:
        return {**vars(self), "rejected": dict(sorted(self.rejected.items()))}


class Watch:
    """Judges each value before it learns it, as the batch job does."""

    def __init__(self, detector: Detector, limits: Limits, job: str, warm: int = WARM_VALUES) -> None:
        self.detector, self.limits, self.job, self.warm = detector, limits, job, warm
        self.counts, self.events = Counts(), Events()
        self.to_verdict, self.to_alarm = Latency(), Latency()
        self.learned, self.last_ms, self.event = 0, -1, None
        self._newest: dict[int, float] = {}

    def take(self, payload: bytes, now_ms: int) -> list[Answer]:
        """Answers to one payload; whatever it holds, this returns."""
        self.counts.received += 1
        try:
            value = read_value(payload, self.limits, now_ms)
            self._check_order(value)
        except Rejected as error:
            self.counts.rejected[error.reason] += 1
            return [Answer("rejected", {"reason": error.reason, "what": str(error), "payload": shown(payload), "bytes": len(payload)})]
        if value.at_ms in self._newest:
            self.counts.repeated += 1
            return []
        self._remember(value)
        return self._judge(value)

    def _check_order(self, value: Value) -> None:
        known = self._newest.get(value.at_ms)
        if known is not None and known != value.value:
            raise Rejected("contradiction")
        if known is None and value.at_ms <= self.last_ms:
            raise Rejected("out_of_order")

    def _remember(self, value: Value) -> None:
        self.last_ms = value.at_ms
        self._newest[value.at_ms] = value.value
        if len(self._newest) > NEWEST_KEPT:
            del self._newest[next(iter(self._newest))]
        self.counts.simulated += value.is_simulated

    def _judge(self, value: Value) -> list[Answer]:
        if self.learned < self.warm:
            self.learned += 1
            self.counts.warming += 1
            self.detector.warm(value.at_ms, value.value)
            return []
        verdict = self.detector.step(value.at_ms, value.value)
        if verdict.expected is None:
            return []
        self.counts.judged += 1
        found = self._described(value, verdict.expected, verdict.half_width) | {"is_outside": verdict.is_outside}
        answers = [Answer("verdicts", found, value.sent_ms)]
        before = self.events.open
        self.events.add(value.at_ms, value.value, verdict)
        event = self.events.open or before
        if verdict.change is not Change.NONE and event is not None:
            answers.insert(0, self._alarm(found, event, verdict.change, value.sent_ms))
        return answers

    def _described(self, value: Value, expected: float, half_width: float) -> dict[str, Any]:
        return {
            "at": iso(value.at_ms), "seq": value.seq, "value": value.value, "expected": round(expected, 4),
            "low": round(expected - half_width, 4), "high": round(expected + half_width, 4),
            "source": "simulated" if value.is_simulated else "plant", "job": self.job,
        }  # fmt: skip

    def _alarm(self, found: dict[str, Any], event: Event, change: Change, sent_ms: float) -> Answer:
        self.counts.alarms += change is Change.RAISED
        self.counts.cleared += change is not Change.RAISED
        expected = found["expected"]
        deviation = round(100 * (found["value"] - expected) / abs(expected), 2) if expected else None
        raised = iso(event.raised_ms)
        return Answer("alarms", {"alarm": change.value, "id": f"{self.job}/{raised}", "raised": raised, "deviation_percent": deviation} | found, sent_ms)

    # ---- state that outlives the process -------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {
            "format": FORMAT, "detector": self.detector.state(), "learned": self.learned, "last_ms": self.last_ms,
            "newest": list(self._newest.items()), "open": vars(self.events.open) if self.events.open else None,
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        self.detector = Detector.from_state(state["detector"], self.detector.calendar)
        self.learned, self.last_ms = state["learned"], state["last_ms"]
        self._newest = dict(state["newest"])
        if state["open"]:
            self.events.open = Event(**state["open"])
            self.events.kept.append(self.events.open)
            self.events.count += 1

    def alarms_csv(self) -> str:
        text = io.StringIO()
        table = csv.writer(text)
        table.writerow(ALARM_COLUMNS)
        for event in self.events.kept:
            document = event.document()
            table.writerow([document[column] for column in ALARM_COLUMNS])
        return text.getvalue()


def new_watch(method: str, zone: ZoneInfo, step_ms: int, limits: Limits, job: str, warm: int) -> Watch:
    return Watch(Detector(method, Calendar(zone), step_ms, Band()), limits, job, warm)


def watch_with_model(path: Path, limits: Limits, job: str) -> Watch:
    """Goes on with the detector that the batch job saved."""
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))["detector"]
        detector = Detector.from_state(saved, Calendar(ZoneInfo(saved["time_zone"])))
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}", "Name the model.json of a batch job") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"{path} holds no model of this template: {error!r}", "Name the model.json of a batch job") from error
    return Watch(detector, limits, job, warm=0)


def write_whole(path: Path, text: str) -> None:
    """Either the old content or the new one is there, whenever the machine stops."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(path.suffix + ".tmp")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
