"""Uploaded working directories on disk, each stored once under the digest of its bytes."""

import errno
import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from eisbach.adapters.archive_check import BYTES_MAX, ArchiveFacts, check_archive
from eisbach.adapters.private_files import sync_folder
from eisbach.core.jobs.task_file import is_archive_id
from eisbach.core.vocabulary.invariant import require
from eisbach.core.vocabulary.reasons import Reason, Refusal

__all__ = ["ArchiveFacts", "ArchiveFolder", "Upload", "check_archive"]

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Upload:
    """An archive on its way in; it exists for others only after `keep` returned its id."""

    def __init__(self, file: FileIO, path: Path, folder: "ArchiveFolder", bytes_max: int) -> None:
        self._file = file
        self._folder = folder
        self._bytes_max = bytes_max
        self._digest = hashlib.sha256()
        self.path = path
        """Where the bytes lie so far, for a check before they are kept."""
        self.size = 0

    def write(self, data: bytes) -> Refusal | None:
        """Add bytes; return why no more are taken, after which the upload can only be dropped."""
        self.size += len(data)
        if self.size > self._bytes_max:
            what = f"The upload is larger than {self._bytes_max // 1024**2} MiB"
            return Refusal(Reason.TOO_LARGE, what, "Leave large data out and fetch it in `setup`")
        self._digest.update(data)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            return full_disk(error)
        return None

    def keep(self, expected: str | None = None) -> str | Refusal:
        """Store the bytes durably and return their id; keeping the same bytes twice changes nothing.

        `expected` is the id that the sender computed, where it sent one.
        """
        archive_id = f"sha256:{self._digest.hexdigest()}"
        if expected is not None and expected != archive_id:
            what = "The upload does not have the digest that was announced"
            return Refusal(Reason.INVALID_ARCHIVE, what, "Send it again; it was damaged or changed on the way")
        try:
            os.fsync(self._file.fileno())
            self._folder.adopt(self.path, archive_id)
        except OSError as error:
            return full_disk(error)
        return archive_id


class ArchiveFolder:
    """The store of uploads: `root/ab/<64 hex digits>`, mode 0600, whole files only."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._using = threading.Lock()
        """held while an archive is found unused and deleted, so that nobody begins to use it in between"""

    @contextmanager
    def receive(self, *, bytes_max: int = BYTES_MAX) -> Iterator[Upload]:
        """Take an upload of at most `bytes_max`; what was not kept at the end of the context is deleted."""
        descriptor, name = tempfile.mkstemp(dir=self._incoming, prefix="upload-")
        try:
            # unbuffered, so that a full disk shows in `write` and not when the file is closed
            with FileIO(descriptor, "wb") as file:
                yield Upload(file, Path(name), self, bytes_max)
        finally:
            Path(name).unlink(missing_ok=True)

    def check(self, path: Path) -> Refusal | None:
        """Return why a file is no archive that may be unpacked, or None."""
        found = check_archive(path)
        return found if isinstance(found, Refusal) else None

    def adopt(self, path: Path, archive_id: str) -> None:
        """Move a whole file of the incoming folder to its place, durably; an equal one that is there is replaced."""
        place = self._place(archive_id)
        require(place is not None, "an archive is kept under its digest")
        assert place is not None
        place.parent.mkdir(mode=0o700, exist_ok=True)
        with self._using:
            path.replace(place)
        for folder in (place.parent, self._root):
            sync_folder(folder)

    def path_of(self, archive_id: str) -> Path | None:
        """Return where an archive lies, None where it is not stored or the text is no archive's id."""
        path = self._place(archive_id)
        return path if path is not None and path.is_file() else None

    def delete(self, archive_id: str) -> bool:
        """Delete an archive; return whether it was there."""
        path = self._place(archive_id)
        if path is None:
            return False
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        return True

    def renew(self, archive_id: str) -> bool:
        """Note that an archive is used now; return whether it is there."""
        with self._using:
            path = self.path_of(archive_id)
            if path is not None:
                os.utime(path)
            return path is not None

    def unused_since(self, before_ms: int) -> Sequence[str]:
        """Return the archives last uploaded or renewed before an instant (UTC milliseconds), ordered by id."""
        found = (f"sha256:{path.name}" for path in self._root.glob("[0-9a-f][0-9a-f]/*"))
        return sorted(archive_id for archive_id in found if self._is_older(archive_id, before_ms))

    def delete_unused(self, archive_id: str, before_ms: int) -> bool:
        """Delete an archive unless it was uploaded or renewed since `before_ms`; return whether it was deleted."""
        with self._using:
            return self._is_older(archive_id, before_ms) and self.delete(archive_id)

    def _is_older(self, archive_id: str, before_ms: int) -> bool:
        path = self.path_of(archive_id)
        return path is not None and path.stat().st_mtime_ns < before_ms * 1_000_000

    def discard_unfinished(self) -> int:
        """Delete uploads that a killed server left half done; only to be called while no upload runs."""
        left = list(self._incoming.iterdir())
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def _place(self, archive_id: str) -> Path | None:
        digest = archive_id.removeprefix("sha256:")
        return self._root / digest[:2] / digest if is_archive_id(archive_id) else None


def full_disk(error: OSError) -> Refusal:
    """Return that the disk is full; any other error of the disk is raised again."""
    if error.errno not in _FULL:
        raise error
    return Refusal(Reason.STORE_FULL, "The factory's disk is full", "Try again later; the operator sees it")
