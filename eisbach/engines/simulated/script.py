"""What a simulated task does: the few shell words that it understands, as a course of events in virtual time."""

import shlex
from typing import Final

import msgspec

from eisbach.core.vocabulary.quantities import MINUTE_MS
from eisbach.ports.engine import Ending

EXIT_NOT_FOUND: Final = 127
CHECKPOINT_EVERY_MS: Final = 30 * MINUTE_MS
"""How often simulated work saves where nothing else is said, live as in the twin."""


class Course(msgspec.Struct, frozen=True):
    """How long a task would run, what it would exit with, and the lines it would print (instant into the run, text)."""

    run_ms: int
    exit_code: int
    lines: tuple[tuple[int, str], ...] = ()


def course_of(script: str) -> Course:
    """Return the course of a script of the commands true, false, sleep SECONDS, echo TEXT and exit CODE.

    Anything else ends the task with 127 at once, as a shell does for an unknown command, and says so in its log.
    """
    at_ms, code = 0, 0
    lines: list[tuple[int, str]] = []
    for command in script.replace(";", "\n").splitlines():
        try:
            words = shlex.split(command, comments=True)
        except ValueError:
            return Course(at_ms, 2, (*lines, (at_ms, f"simulated: cannot read {command!r}")))
        if not words:
            continue
        name, rest = words[0], words[1:]
        if name == "sleep" and len(rest) == 1 and rest[0].replace(".", "", 1).isdigit():
            at_ms, code = at_ms + round(float(rest[0]) * 1000), 0
        elif name == "echo":
            lines.append((at_ms, " ".join(rest)))
            code = 0
        elif name in ("true", "false"):
            code = 0 if name == "true" else 1
        elif name == "exit":
            return Course(at_ms, int(rest[0]) if rest and rest[0].isdigit() else code, tuple(lines))
        else:
            return Course(at_ms, EXIT_NOT_FOUND, (*lines, (at_ms, f"simulated: {name}: command not simulated")))
    return Course(at_ms, code, tuple(lines))


def rest_of(course: Course, ran_ms: int, ending: Ending, every_ms: int) -> Course:
    """Return what is left of a course of which an attempt did so much before it was ended.

    What is asked to stop saves first; what is lost goes on from the last time that it saved, each `every_ms`.
    """
    saved_ms = max(0, ran_ms if ending is Ending.STOPPED else ran_ms - ran_ms % every_ms)
    if not saved_ms:
        return course
    lines = tuple((at_ms - saved_ms, text) for at_ms, text in course.lines if at_ms >= saved_ms)
    return Course(max(0, course.run_ms - saved_ms), course.exit_code, lines)
