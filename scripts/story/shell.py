"""Runs commands as a person would type them: shown before they run, output as it comes, each with a time limit."""

import json
import os
import selectors
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from story.checks import StepFailed

Json = dict[str, Any]
COMMAND_TIMEOUT_S = 60.0
_PIECE = 65_536


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    code: int
    output: str


class Shell:
    """A terminal of its own: one folder, one environment, and a clock that started with the story."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self._began = time.monotonic()

    def elapsed_s(self) -> float:
        """Return the seconds since the story began."""
        return time.monotonic() - self._began

    def say(self, text: str = "") -> None:
        """Print a line of the story's own."""
        print(text, flush=True)

    def show_command(self, text: str) -> None:
        """Print a command with the time at which it runs."""
        self.say(f"[{self.elapsed_s():5.1f} s] $ {text}")

    def eisbach(
        self,
        *words: str,
        codes: Sequence[int] = (0,),
        timeout_s: float = COMMAND_TIMEOUT_S,
        on_line: Callable[[str], None] | None = None,
    ) -> Done:
        """Run `eisbach` with these words, its output shown; raise StepFailed for another exit code or no end in time."""
        return self.run([*_EISBACH, *words], shlex.join(["eisbach", *words]), codes, timeout_s, on_line)

    def run(
        self,
        command: Sequence[str],
        shown: str,
        codes: Sequence[int] = (0,),
        timeout_s: float = COMMAND_TIMEOUT_S,
        on_line: Callable[[str], None] | None = None,
    ) -> Done:
        """Run a command, shown as `shown`, and give each line of its output to `on_line` as it comes."""
        self.show_command(shown)
        lines = []
        with self._started(command, subprocess.STDOUT) as process, _ended_on_error(process):
            for line in _lines_of(process, time.monotonic() + timeout_s, shown, timeout_s):
                lines.append(line)
                self.say(f"    {line.rstrip()}")
                if on_line is not None:
                    on_line(line)
        return _judged(shown, process.returncode, "\n".join(lines), codes)

    def ask(self, *words: str) -> Json:
        """Return what a command of `eisbach` answers as a document, which is not shown; raise StepFailed."""
        shown = shlex.join(["eisbach", *words, "-o", "json"])
        self.show_command(shown)
        done = self.capture([*_EISBACH, *words, "-o", "json"], shown)
        try:
            answer: Json = json.loads(done.output)
        except ValueError as error:
            raise StepFailed(f"`{shown}` did not answer with JSON: {done.output[:200]!r}") from error
        return answer

    def capture(self, command: Sequence[str], shown: str, codes: Sequence[int] = (0,)) -> Done:
        """Run a command and return its stdout without showing it; what it says beside that is shown."""
        with self._started(command, subprocess.PIPE) as process, _ended_on_error(process):
            try:
                output, said = process.communicate(timeout=COMMAND_TIMEOUT_S)
            except subprocess.TimeoutExpired as error:
                raise StepFailed(f"`{shown}` did not end within {COMMAND_TIMEOUT_S:.0f} s") from error
        for line in said.decode("utf-8", "replace").splitlines():
            self.say(f"    {line}")
        return _judged(shown, process.returncode, output.decode("utf-8", "replace"), codes)

    def _started(self, command: Sequence[str], errors: int) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own: Ctrl-C reaches the story, which ends the command."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )


_EISBACH = [sys.executable, "-m", "eisbach"]


def _judged(shown: str, code: int, output: str, codes: Sequence[int]) -> Done:
    if code not in codes:
        wanted = " or ".join(str(one) for one in codes)
        raise StepFailed(f"`{shown}` ended with exit code {code}, expected {wanted}")
    return Done(code, output)


def _lines_of(process: subprocess.Popen[bytes], deadline: float, shown: str, timeout_s: float) -> Iterator[str]:
    """Yield the lines of a process as they come, until it closes its output; end it at the deadline."""
    assert process.stdout is not None
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise StepFailed(f"`{shown}` did not end within {timeout_s:.0f} s")
            if not selector.select(left):
                continue
            piece = os.read(process.stdout.fileno(), _PIECE)
            if not piece:
                break
            *lines, rest = (rest + piece).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in lines)
    if rest:
        yield rest.decode("utf-8", "replace")
    try:
        process.wait(max(1.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise StepFailed(f"`{shown}` closed its output and did not end") from error


@contextmanager
def _ended_on_error(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a command, and what it started in its session, when its output is no longer wanted.

    The factory and its work are in sessions of their own.
    """
    try:
        yield
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise
