"""Follows a job: its log as it grows, what it waits for, and how it ended."""

import sys
from typing import Any

from eisbach.cli import figures
from eisbach.cli.event_stream import Follower
from eisbach.cli.exit_codes import code_of_job
from eisbach.cli.session import Session
from eisbach.cli.terminal import clean, say
from eisbach.core.jobs.lifecycle import JobState, Outcome

Json = dict[str, Any]


def follow(session: Session, job: str, *, is_gang: bool, lines_to_stderr: bool = False) -> Json | None:
    """Print the log until the job has ended and return the job, None when Ctrl-C stopped the watching."""
    stream = sys.stderr if lines_to_stderr else sys.stdout
    printer = LinePrinter(raw=False, is_gang=is_gang)
    waiting = Waiting(session, job)
    try:
        waiting.begin()
        for event in Follower(session.client, f"/v1/jobs/{job}/logs/stream", say).events():
            waiting.end()
            if event.kind == "line":
                stream.write(printer.text(event.data))
                stream.flush()
            elif event.kind == "end":
                stream.write(printer.end())
                stream.flush()
                return dict(event.data)
    except KeyboardInterrupt:
        return None
    finally:
        waiting.end()
    return None


class LinePrinter:
    """Writes lines of a log: with the rank in front where a gang has several, and a word where a new attempt begins.

    A part of a line stays open for the rest of it, unless something else comes between or it is a progress bar, whose
    states stand below one another.
    """

    def __init__(self, *, raw: bool, is_gang: bool) -> None:
        self._raw = raw
        self._is_gang = is_gang
        self._attempt = 0
        self._open: tuple[object, ...] | None = None

    def text(self, line: Json) -> str:
        """Return what to print for one line, with its newline unless the rest of it is still to come."""
        text = str(line.get("text", ""))
        is_part = bool(line.get("is_part"))
        if self._raw:
            return text if is_part else f"{text}\n"
        place = (line.get("attempt"), line.get("rank"), line.get("stream"))
        before, goes_on = "", self._open == place
        if self._open is not None and not goes_on:
            before = "\n"
        self._open = place if is_part and "\r" not in text else None
        end = "\n" if self._open is None else ""
        if goes_on:
            return f"{clean(text)}{end}"
        number = int(line.get("number") or 1)
        if number != self._attempt:
            before += f"--- attempt {number} ---\n" if number > 1 else ""
            self._attempt = number
        front = f"({line.get('rank')}) " if self._is_gang else ""
        return f"{before}{front}{clean(text)}{end}"

    def end(self) -> str:
        """Return what ends the last line."""
        was_open, self._open = self._open is not None, None
        return "\n" if was_open else ""


class Waiting:
    """Says what a job waits for, and shows on a terminal that its first line is awaited."""

    def __init__(self, session: Session, job: str) -> None:
        self._session = session
        self._job = job
        self._status: Any = None

    def begin(self) -> None:
        """Start to show it."""
        why = self._session.client.get(f"/v1/jobs/{self._job}/why")
        if why.get("state") == JobState.WAITING.value and why.get("detail"):
            say(clean(f"Waiting: {why['detail']}"))
        if sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("Watching; the job has written nothing yet")
            self._status.start()

    def end(self) -> None:
        """Take it away."""
        if self._status is not None:
            self._status.stop()
            self._status = None


def told_end(session: Session, job: Json) -> int:
    """Tell how the job ended and what it cost, and return the exit code for it."""
    outcome = str(job.get("outcome") or "")
    code = code_of_job(outcome, job.get("exit_code"))
    parts = [f"{clean(job.get('name') or job['job'])} {outcome.replace('_', ' ') or 'ended'}"]
    if outcome == Outcome.FAILED.value and job.get("exit_code") is not None:
        parts.append(f"with exit code {job['exit_code']}")
    parts.append(f"after {figures.counted(int(job.get('attempts') or 0), 'attempt')},")
    parts.append(f"charged {job.get('charged_eur', figures.euro(job.get('charged_micro_eur')))} EUR.")
    say(" ".join(parts))
    if job.get("simulated"):
        say(f"All of it is simulated: nothing was executed at {clean(str(job['site']))}.")
    if outcome != Outcome.SUCCEEDED.value:
        say(f"Why: `eisbach why {job['job']}`")
    return code
