"""What the simulated engine knows of each attempt, and the files in which it outlives the server."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from eisbach.engines.simulated.script import Course
from eisbach.ports.engine import Ending

SUFFIX: Final = ".json"
OVER: Final = "over.txt"


class SimulatedAttempt(msgspec.Struct, kw_only=True):
    """An attempt and how it will go on, in UTC milliseconds.

    `job` is empty and `ranks` are none for one that was stopped before it was started. `is_forgotten` keeps the id of
    one whose outcome is stored, so that a late start does nothing; its lines stay until they expire. `gone` is the node
    whose loss ended it.
    """

    job: str
    ranks: tuple[int, ...]
    course: Course
    running_ms: int
    ends_ms: int
    ending: Ending
    exit_code: int
    nodes: tuple[str, ...] = ()
    gone: str = ""
    ended_ms: int | None = None
    is_forgotten: bool = False


class Journal(Protocol):
    """Where attempts are kept between two processes."""

    def attempts(self) -> Iterator[tuple[str, SimulatedAttempt]]:
        """Yield each attempt id with what was kept last."""

    def keep(self, attempt_id: str, attempt: SimulatedAttempt) -> None:
        """Keep an attempt as it is now, durably."""

    def over(self) -> Iterator[str]:
        """Yield the ids of attempts of which nothing else is kept any more."""

    def drop(self, attempt_ids: Sequence[str]) -> None:
        """Keep no more of these attempts than their ids."""


class NoJournal:
    """Keeps nothing: for worlds that live in memory."""

    def attempts(self) -> Iterator[tuple[str, SimulatedAttempt]]:
        """Yield nothing."""
        return iter(())

    def keep(self, attempt_id: str, attempt: SimulatedAttempt) -> None:
        """Keep nothing."""

    def over(self) -> Iterator[str]:
        """Yield nothing."""
        return iter(())

    def drop(self, attempt_ids: Sequence[str]) -> None:
        """There is nothing to drop."""


class JournalFolder:
    """One file for each attempt, of mode 0600, replaced as a whole; and one with the ids of those of which nothing else is kept."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._decode = msgspec.json.Decoder(SimulatedAttempt).decode

    def attempts(self) -> Iterator[tuple[str, SimulatedAttempt]]:
        """Yield each attempt id with what was kept last; what a crash left half written was never kept."""
        for file in sorted(self._folder.glob(f"*{SUFFIX}")):
            yield file.name.removesuffix(SUFFIX), self._decode(file.read_bytes())

    def keep(self, attempt_id: str, attempt: SimulatedAttempt) -> None:
        """Replace the file of an attempt."""
        file = self._folder / f"{attempt_id}{SUFFIX}"
        unfinished = file.with_suffix(".unfinished")
        with open(unfinished, "wb", opener=_private) as opened:
            opened.write(msgspec.json.encode(attempt))
            opened.flush()
            os.fsync(opened.fileno())
        unfinished.rename(file)
        self._sync()

    def over(self) -> Iterator[str]:
        """Yield the ids of attempts of which nothing else is kept any more; what a crash left half written still has its file."""
        file = self._folder / OVER
        if file.exists():
            for line in file.read_text().splitlines(keepends=True):
                if line.endswith("\n"):
                    yield line.rstrip("\n")

    def drop(self, attempt_ids: Sequence[str]) -> None:
        """Note the ids first: an attempt has a file, or an id, or both. What a crash left half written is not gone on with."""
        with open(self._folder / OVER, "a+b", opener=_private) as opened:
            if opened.tell():
                opened.seek(-1, os.SEEK_END)
                if opened.read() != b"\n":
                    opened.write(b"\n")
            opened.write("".join(f"{name}\n" for name in attempt_ids).encode())
            opened.flush()
            os.fsync(opened.fileno())
        self._sync()
        for name in attempt_ids:
            (self._folder / f"{name}{SUFFIX}").unlink(missing_ok=True)

    def _sync(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
