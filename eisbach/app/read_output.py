"""What a job wrote, line by line over all its attempts, while it runs and after; and the files it left."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.engine import Artifact, CanKeepArtifacts, CanStreamLogs, LogLine
from eisbach.ports.store import Reader, Row

if TYPE_CHECKING:
    from eisbach.app.application import Application

ATTEMPTS_SHOWN = 1000
_PLACE = re.compile(r"([0-9]{1,9}):([0-9]{1,18})\Z")


@dataclass(frozen=True, slots=True)
class OutputLine:
    """A line, the attempt it belongs to (id and number), and the place to go on behind it."""

    place: str
    attempt: str
    number: int
    line: LogLine


def parse_place(text: str) -> tuple[int, int] | None:
    """Return the attempt's number and the offset in its log that a place names (`` is the start); None for any other text."""
    if not text:
        return 1, 0
    match = _PLACE.match(text)
    return None if match is None else (int(match[1]), int(match[2]))


def follow_job(application: "Application", job: str, place: tuple[int, int]) -> "JobLines | Refusal":
    """Return a reader of a job's lines from a place on; refused where the engine keeps no output."""
    engine = application.engine
    if not isinstance(engine, CanStreamLogs):
        what = "This factory's engine keeps no output"
        return Refusal(Reason.NOT_SUPPORTED, what, "Write what you need into the job's outputs")
    return JobLines(engine, application.reader, job, place)


class JobLines:
    """Reads the captured lines of a job, attempt after attempt, from a place on."""

    def __init__(self, logs: CanStreamLogs, reader: Reader, job: str, place: tuple[int, int]) -> None:
        self._logs, self._reader, self._job = logs, reader, job
        self._number, self._offset = place
        self._attempt: Row | None = None

    def place(self) -> str:
        """Return the place behind what was read."""
        return f"{self._number}:{self._offset}"

    def read(self, lines_max: int) -> tuple[list[OutputLine], Row | None]:
        """Return new lines, and the job's row once it has ended and all was read."""
        while True:
            row = self._reader.row("jobs", self._job)  # before the lines: what ended before has no lines after
            attempt = self._current()
            if attempt is not None:
                lines, offset = self._logs.read_log(attempt["attempt"], self._offset, lines_max)
                if lines:
                    found = self._placed(attempt["attempt"], lines, offset)
                    self._offset = offset
                    return found, None
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

    def _placed(self, attempt: str, lines: Sequence[LogLine], end: int) -> list[OutputLine]:
        ends = [line.offset for line in lines[1:]] + [end]
        return [
            OutputLine(f"{self._number}:{behind}", attempt, self._number, line)
            for line, behind in zip(lines, ends, strict=True)
        ]


def kept_files(application: "Application", job: str) -> list[tuple[str, Artifact]] | Refusal:
    """Return (attempt, file) of all attempts that have ended, the newest attempt's first."""
    engine = keeper_of(application)
    if isinstance(engine, Refusal):
        return engine
    ended = {"job": job, "state": JobState.ENDED.value}
    attempts = application.reader.rows("attempts", ended, limit=ATTEMPTS_SHOWN).rows
    return [(row["attempt"], kept) for row in attempts for kept in engine.artifacts(row["attempt"])]


def find_kept_file(application: "Application", job: str, attempt: str, path: str) -> Artifact | Refusal | None:
    """Return one file that a job left, None where there is none: only what stands in the list can be asked for."""
    engine = keeper_of(application)
    if isinstance(engine, Refusal):
        return engine
    row = application.reader.row("attempts", attempt)
    if row is None or row["job"] != job or row["state"] != JobState.ENDED.value:
        return None
    return next((kept for kept in engine.artifacts(attempt) if kept.path == path), None)


def keeper_of(application: "Application") -> CanKeepArtifacts | Refusal:
    """Return the engine as a keeper of files; refused where it keeps none."""
    engine = application.engine
    if isinstance(engine, CanKeepArtifacts):
        return engine
    what = "This factory's engine keeps no artifacts"
    return Refusal(Reason.NOT_SUPPORTED, what, "Let the job copy its results where you need them")
