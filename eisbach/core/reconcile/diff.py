"""The difference between what should run and what an engine knows: the commands that close it (docs/decisions/0004)."""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from enum import Enum

from eisbach.core.jobs.lifecycle import JobState


class EngineCommand(Enum):
    """What an engine is told, or what is recorded instead."""

    START = "start"
    STOP = "stop"
    FORGET = "forget"
    RECORD_LOST = "record_lost"


@dataclass(frozen=True, slots=True)
class Desired:
    """An attempt that the log says is not over."""

    attempt: str
    state: JobState


def diff(desired: Iterable[Desired], known: Set[str], ended: Set[str]) -> list[tuple[EngineCommand, str]]:
    """Return the commands in order of attempt id.

    `known` are all attempts the engine knows, `ended` those of them that are over. An attempt that only the engine
    knows was settled long ago: an ended one is forgotten, a running one (the store was restored) is stopped. One that
    is to stop and that the engine does not know is stopped there all the same, so that a start on its way does nothing.
    """
    commands: list[tuple[EngineCommand, str]] = []
    wanted: set[str] = set()
    for one in sorted(desired, key=lambda each: each.attempt):
        wanted.add(one.attempt)
        if one.attempt in ended:
            continue
        if one.state is JobState.STOPPING:
            commands.append((EngineCommand.STOP, one.attempt))
        elif one.attempt not in known:
            is_told = one.state is JobState.RUNNING  # the engine itself said that it runs
            commands.append((EngineCommand.RECORD_LOST if is_told else EngineCommand.START, one.attempt))
    for attempt in sorted(known - wanted):
        commands.append((EngineCommand.FORGET if attempt in ended else EngineCommand.STOP, attempt))
    return commands
