"""Named places between two durable steps where a test may kill the process, so that each gap is tried.

`reached(name)` does nothing unless that name was armed through `arm`; only the mains arm (from EISBACH_CRASH_AT), and the
twin's explorer, where a world ends in place of the process.
"""

import os
import signal
from collections.abc import Callable
from typing import Final

ENVIRONMENT_VARIABLE: Final = "EISBACH_CRASH_AT"

POINTS: Final[dict[str, str]] = {
    "engine.order_written": "the order is durable, the server was not answered",
    "engine.answered": "the server was answered, no supervisor was forked",
    "engine.forked": "the supervisor was forked, the agent does not watch it yet",
    "engine.supervisor_begun": "the supervisor lives, it does not hold the lock of its attempt",
    "engine.locked": "the supervisor holds the lock, the marker is not written",
    "engine.marked": "the marker is durable, no task was forked",
    "engine.tasks_ready": "all tasks are prepared, none was let go",
    "engine.tasks_running": "all tasks run, the agent was not told",
    "engine.tasks_ended": "the last process ended, no output was kept",
    "engine.outputs_kept": "the outputs are kept, the outcome is not written",
    "engine.outcome_written": "the outcome is durable, the agent was not told",
    "engine.reported": "the agent was told, the supervisor still lives",
    "engine.stop_written": "the stop order is durable, the supervisor was not told",
    "applier.before_commit": "a batch is decided, nothing of it is written",
    "applier.after_commit": "a batch is durable, nobody was answered and no engine told",
    "applier.after_answers": "a batch was answered, the next one is not begun",
    "dispatch.before_start": "an attempt is planned durably, the engine was not told",
    "dispatch.after_start": "the engine took the order, the server has not noted that",
    "dispatch.before_stop": "a stop is durable, the engine was not told",
    "observe.before_record": "the engine reported, nothing of it is decided",
    "dispatch.before_forget": "the outcome is stored, the engine was not told to forget",
    "recover.before_leadership": "the store is open, this server is not yet the leader",
    "recover.after_leadership": "this server is the leader, it has not recovered its state",
    "recover.before_reconcile": "the state is recovered, the engine was not asked",
    "recover.before_token": "the factory is open, the operator's token is not valid yet",
    "submit.before_commit": "a submission is decided, not written",
    "submit.after_commit": "a submission is durable, nobody was answered",
    "start.before_commit": "an attempt is planned, not written",
    "start.after_commit": "an attempt is planned durably, its order is not in the queue for the engine",
    "run.before_commit": "that an attempt runs is decided, not written",
    "run.after_commit": "that an attempt runs is durable, nobody was told",
    "stop.before_commit": "a stop is decided, not written",
    "stop.after_commit": "a stop is durable, its order is not in the queue for the engine",
    "end.before_commit": "an end with its charge is decided, not written",
    "end.after_commit": "an end with its charge is durable, the engine is not about to be told to forget",
    "settle.before_commit": "the hourly settlement is decided, not written",
    "settle.after_commit": "the hourly settlement is durable, the round does not know",
    "data.piece_durable": "bytes of an upload are durable, nobody was told",
    "data.sealed": "the last byte of an upload is durable and its hashes are known, the data set is not ready",
    "data.copied": "a copy at a further site is whole, the log does not know it",
    "data.removed_at_a_site": "a data set that is deleted is gone at one site, the log does not say so",
    "data.deletion_recorded": "the log says that a data set is gone, what its deletion counted is still noted",
    "engine.forget_moved": "the attempt was moved to the ended ones, its scratch space is still there",
}
"""Every crash point and what lies between its two steps."""


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _Armed:
    """How many times a point is still passed before its effect, and that."""

    __slots__ = ("count", "effect")

    def __init__(self, count: int, effect: Callable[[], object]) -> None:
        self.count, self.effect = count, effect


_armed: Final[dict[str, _Armed]] = {}


class UnknownPoint(ValueError):
    """There is no crash point of this name; the message names those there are."""


class Crashed(BaseException):
    """A world has ended at a crash point; what it held in memory is gone. No handler of errors ever sees to it."""


def crash_world() -> None:
    """End the world that reached the point, in place of the process."""
    raise Crashed


def arm(text: str, effect: Callable[[], object] = _kill) -> None:
    """Arm one point, written `name` or `name:count` (the count-th time in one process); raise UnknownPoint.

    `effect` is what happens there.
    """
    name, _, count = text.partition(":")
    if name not in POINTS or not (count or "1").isdecimal():
        raise UnknownPoint(f"{text!r} is not a crash point; there are {', '.join(sorted(POINTS))}")
    _armed[name] = _Armed(int(count or 1), effect)


def disarm() -> None:
    """Have nothing armed any more."""
    _armed.clear()


def armed() -> str:
    """Return what is armed, written as for `arm`, or nothing: a program that starts another one passes it on."""
    return next((f"{name}:{one.count}" for name, one in _armed.items()), "") if _armed else ""


def reached(name: str) -> None:
    """Kill this very process with SIGKILL, or do what it was armed with, if `name` was reached often enough."""
    if not _armed or name not in _armed:
        return
    one = _armed[name]
    one.count -= 1
    if one.count <= 0:
        del _armed[name]
        one.effect()
