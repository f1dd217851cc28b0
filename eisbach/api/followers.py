"""What streams of a job follow: the lines of its attempts and its events, each from any place on."""

import re
from collections.abc import Sequence
from typing import Any

from eisbach.api.errors import Problem, invalid
from eisbach.api.representations import encode, instant_text
from eisbach.api.representations import job as job_json
from eisbach.api.streams import encode_event
from eisbach.app.application import Application
from eisbach.app.event_codec import open_event
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.engine import CanStreamLogs, LogLine
from eisbach.ports.store import Row

LINES_AT_ONCE = 500
EVENTS_AT_ONCE = 200
_LOG_PLACE = re.compile(r"([0-9]{1,9}):([0-9]{1,18})\Z")
_SEQ = re.compile(r"[0-9]{1,18}\Z")


def parse_log_place(text: str) -> tuple[int, int]:
    """Return the attempt's number and the offset in its log that a cursor names; `` is the start."""
    if not text:
        return 1, 0
    match = _LOG_PLACE.match(text)
    if match is None:
        raise invalid("This cursor was not given by this route", "Leave it out to start from the beginning", "cursor")
    return int(match[1]), int(match[2])


def parse_event_place(text: str) -> int:
    """Return the seq behind which events are wanted; `` is the start."""
    if not text:
        return -1
    if not _SEQ.match(text):
        raise invalid("This cursor was not given by this route", "Leave it out to start from the beginning", "cursor")
    return int(text)


def log_line(attempt: str, number: int, line: LogLine) -> dict[str, Any]:
    """Return a captured line."""
    text = line.text if line.text.isascii() else line.text.encode("utf-8", "replace").decode()
    return {
        "attempt": attempt,
        "number": number,
        "at": instant_text(line.at_ms),
        "rank": line.rank,
        "stream": line.stream,
        "text": text,
        "is_part": line.is_part,
    }


class LogReader:
    """Reads the captured lines of a job, attempt after attempt, from a place on."""

    def __init__(self, application: Application, job: str, place: tuple[int, int]) -> None:
        """Raise Problem where the engine keeps no output."""
        engine = application.engine
        if not isinstance(engine, CanStreamLogs):
            what = "this factory's engine keeps no output"
            raise Problem(Refusal(Reason.NOT_SUPPORTED, what, "Write what you need into the job's outputs"))
        self._logs: CanStreamLogs = engine
        self._reader = application.reader
        self._job = job
        self._number, self._offset = place
        self._attempt: Row | None = None

    def place(self) -> str:
        """Return the cursor behind what was read."""
        return f"{self._number}:{self._offset}"

    def read(self, lines_max: int) -> tuple[list[tuple[str, dict[str, Any]]], Row | None]:
        """Return new lines, each with the cursor behind it, and the job's row once it has ended and all was read."""
        while True:
            row = self._reader.row("jobs", self._job)  # before the lines: what ended before has no lines after
            attempt = self._current()
            if attempt is not None:
                lines, offset = self._logs.read_log(attempt["attempt"], self._offset, lines_max)
                if lines:
                    shown = self._shown(attempt, lines, offset)
                    self._offset = offset
                    return shown, None
                self._offset = offset
                if attempt["state"] != JobState.ENDED.value:
                    return [], None
            if row is None or (row["state"] == JobState.ENDED.value and row["attempts"] <= self._number):
                return [], row
            if row["attempts"] <= self._number:
                return [], None
            self._number, self._offset = self._number + 1, 0

    def _current(self) -> Row | None:
        """Return the attempt that is being read; read again until it has ended."""
        found = self._attempt
        if found is None or found["number"] != self._number or found["state"] != JobState.ENDED.value:
            rows = self._reader.rows("attempts", {"job": self._job, "number": self._number}, limit=1).rows
            found = self._attempt = rows[0] if rows else None
        return found

    def _shown(self, attempt: Row, lines: Sequence[LogLine], end: int) -> list[tuple[str, dict[str, Any]]]:
        ends = [line.offset for line in lines[1:]] + [end]
        return [
            (f"{self._number}:{behind}", log_line(attempt["attempt"], self._number, line))
            for line, behind in zip(lines, ends, strict=True)
        ]


class LogFollower:
    """Follows the lines of a job until it has ended (a Follower)."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader

    def read(self) -> tuple[bytes, bool]:
        """Return new lines as events, and whether the job has ended and all was read."""
        lines, ended = self._reader.read(LINES_AT_ONCE)
        events = [encode_event("line", encode(line), place) for place, line in lines]
        if ended is not None:
            events.append(encode_event("end", encode(job_json(ended))))
        return b"".join(events), ended is not None


class EventFollower:
    """Follows the events of a job until it has ended (a Follower)."""

    def __init__(self, application: Application, job: str, after_seq: int) -> None:
        self._reader = application.reader
        self._job = job
        self._after_seq = after_seq

    def read(self) -> tuple[bytes, bool]:
        """Return new events, and whether the job has ended and all were read."""
        row = self._reader.row("jobs", self._job)  # before the events: an ended job has no events after
        found = self._reader.events_of(self._job, after_seq=self._after_seq, limit=EVENTS_AT_ONCE)
        events = []
        for sealed in found:
            opened = open_event(sealed.data)
            shown = {
                "seq": opened.seq,
                "at": instant_text(opened.at_ms),
                "kind": opened.kind,
                "version": opened.version,
                "body": opened.body,
            }
            events.append(encode_event("event", encode(shown), str(opened.seq)))
            self._after_seq = opened.seq
        is_over = len(found) < EVENTS_AT_ONCE and row is not None and row["state"] == JobState.ENDED.value
        if row is not None and is_over:
            events.append(encode_event("end", encode(job_json(row))))
        return b"".join(events), is_over
