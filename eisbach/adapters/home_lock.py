"""The lock of a home: one server at a time, freed by the kernel when its holder dies."""

import fcntl
import os
from pathlib import Path


class HomeLocked(Exception):
    """Another server holds the home; the message names its process."""


class HomeLock:
    """Holds `server.lock` of a home for as long as the object lives."""

    def __init__(self, home: Path) -> None:
        """Take the lock; raise HomeLocked."""
        path = home / "server.lock"
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise HomeLocked(
                f"The home {home} is used by another server (process {holder or 'unknown'}). "
                f"Stop it with `eisbach down --home {home}`, or use another --home"
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Free the lock."""
        os.close(self._descriptor)
