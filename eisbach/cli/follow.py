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
                return dict(event.data)
    except KeyboardInterrupt:
        return None
    finally:
        waiting.end()
    return None


class LinePrinter:
    """Writes lines of a log: with the rank in front where a gang has several, and a word where a new attempt begins."""

    def __init__(self, *, raw: bool, is_gang: bool) -> None:
        self._raw = raw
        self._is_gang = is_gang
        self._attempt = 0

    def text(self, line: Json) -> str:
        """Return what to print for one line, with its newline."""
        before = ""
        number = int(line.get("number") or 1)
        if number != self._attempt:
            before = f"--- attempt {number} ---\n" if number > 1 and not self._raw else ""
            self._attempt = number
        text = str(line.get("text", ""))
        if self._raw:
            return text if text.endswith("\n") else f"{text}\n"
        front = f"({line.get('rank')}) " if self._is_gang else ""
        return f"{before}{front}{clean(text)}\n"


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
    if outcome != Outcome.SUCCEEDED.value:
        say(f"Why: `eisbach why {job['job']}`")
    return code
