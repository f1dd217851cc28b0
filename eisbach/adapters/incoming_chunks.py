"""A data set on its way in: bytes fill one chunk after the other, each durable before the next one begins."""

import errno
import os
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from eisbach.adapters.private_files import sync_folder
from eisbach.core.vocabulary.invariant import require

_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: OSError) -> bool:
    """Return whether an error of the disk says that there is no room."""
    return error.errno in _FULL


class IncomingChunks:
    """Writes behind the durable bytes of one data set.

    The file of the chunk being filled carries in its name how many of its bytes are durable. After a crash it is cut
    to that, so an offset that was told to anybody is never taken back.
    """

    def __init__(
        self, folder: Path, data_set: str, size: int, chunk_bytes: int, linking: Lock, known: tuple[int, Any] | None
    ) -> None:
        """`known` is a running SHA-256 and how many bytes it has seen, where there is one."""
        self._folder, self._data_set, self._size = folder, data_set, size
        self._chunk_bytes, self._linking = chunk_bytes, linking
        self._links = make_folder(folder / "sets" / data_set)
        self._tails = make_folder(folder / "incoming")
        self._number = sum(1 for _ in self._links.iterdir())
        self._length = 0
        self._chunk_digest = sha256()
        self._open_tail()
        self._digest = known[1] if known is not None and known[0] == self.offset else None
        if self.offset == 0:
            self._digest = sha256()

    @property
    def offset(self) -> int:
        """Return how many bytes are there."""
        return min(self._size, self._number * self._chunk_bytes + self._length)

    def write(self, data: bytes) -> None:
        """Add bytes; raise OSError of the disk. What no longer fits into the data set's size must not be given."""
        require(self.offset + len(data) <= self._size, "nobody writes beyond the end of a data set")
        rest = memoryview(data)
        while rest:
            piece = rest[: self._chunk_bytes - self._length]
            written = os.pwrite(self._fd, piece, self._length)
            self._chunk_digest.update(piece[:written])
            if self._digest is not None:
                self._digest.update(piece[:written])
            self._length += written
            rest = rest[written:]
            if self._length == self._chunk_bytes or self.offset == self._size:
                self._finish_chunk()

    def close(self) -> Any:
        """Make durable what is there; return the running SHA-256 over all of it, or None where it is not known."""
        try:
            if self._length:
                os.fsync(self._fd)
                os.rename(self._tail, self._named(self._length))
                sync_folder(self._tails)
            elif self._tail.exists():
                self._tail.unlink()
        finally:
            os.close(self._fd)
        return self._digest

    def _open_tail(self) -> None:
        """Take the unfinished chunk up again, as far as it was durable; what belongs to finished ones goes."""
        self._tail = self._named(0)
        for tail in self._tails.glob(f"{self._data_set}.*"):
            _, number, length = tail.name.rsplit(".", 2)
            if int(number) == self._number:
                self._tail, self._length = tail, int(length)
            else:
                tail.unlink()
        self._fd = os.open(self._tail, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._fd, self._length)
        self._chunk_digest.update(os.pread(self._fd, self._length, 0))

    def _finish_chunk(self) -> None:
        os.ftruncate(self._fd, self._length)
        os.fsync(self._fd)
        digest = self._chunk_digest.hexdigest()
        chunk = self._folder / "chunks" / digest[:2] / digest
        make_folder(chunk.parent)
        link = self._links / f"{self._number:08d}-{digest}"
        with self._linking:
            if not chunk.exists():
                os.link(self._tail, chunk)
                sync_folder(chunk.parent)
            try:
                os.link(chunk, link)
            except OSError as error:
                if error.errno != errno.EMLINK:
                    raise
                self._replace(chunk)  # the file system links no file more often: a second copy begins here
                os.link(chunk, link)
        sync_folder(self._links)
        self._tail.unlink()
        os.close(self._fd)
        self._number, self._length, self._chunk_digest = self._number + 1, 0, sha256()
        self._tail = self._named(0)
        self._fd = os.open(self._tail, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)

    def _replace(self, chunk: Path) -> None:
        draft = chunk.with_name(f".{chunk.name}.draft")
        draft.unlink(missing_ok=True)
        os.link(self._tail, draft)
        os.replace(draft, chunk)
        sync_folder(chunk.parent)

    def _named(self, length: int) -> Path:
        return self._tails / f"{self._data_set}.{self._number}.{length}"


def make_folder(folder: Path) -> Path:
    """Have a folder with all its parents, mode 0700, their names durable."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)
    return folder
