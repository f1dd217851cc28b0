"""What streams of a job follow: the lines of its attempts and its events, each from any place on."""

import re
from typing import Any

from eisbach.api.errors import Problem, invalid
from eisbach.api.representations import encode, instant_text
from eisbach.api.representations import job as job_json
from eisbach.api.streams import encode_event
from eisbach.app.application import Application
from eisbach.app.event_codec import open_event
from eisbach.app.read_output import follow_job, parse_place
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.ports.engine import LogLine
from eisbach.ports.store import Row

LINES_AT_ONCE = 500
EVENTS_AT_ONCE = 200
_SEQ = re.compile(r"[0-9]{1,18}\Z")


def parse_log_place(text: str) -> tuple[int, int]:
    """Return the attempt's number and the offset in its log that a cursor names; `` is the start."""
    place = parse_place(text)
    if place is None:
        raise invalid("This cursor was not given by this route", "Leave it out to start from the beginning", "cursor")
    return place


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
    """Reads the captured lines of a job as the API shows them, from a place on."""

    def __init__(self, application: Application, job: str, place: tuple[int, int]) -> None:
        """Raise Problem where the engine keeps no output."""
        lines = follow_job(application, job, place)
        if isinstance(lines, Refusal):
            raise Problem(lines)
        self._lines = lines

    def place(self) -> str:
        """Return the cursor behind what was read."""
        return self._lines.place()

    def read(self, lines_max: int) -> tuple[list[tuple[str, dict[str, Any]]], Row | None]:
        """Return new lines, each with the cursor behind it, and the job's row once it has ended and all was read."""
        found, ended = self._lines.read(lines_max)
        return [(one.place, log_line(one.attempt, one.number, one.line)) for one in found], ended


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
