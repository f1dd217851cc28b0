"""Gives each attempt a /dev/shm and System V memory of its own, which go with it.

What a job leaves in the machine's own would stay in memory for good, paid by nobody (mount_namespaces(7), ipc_namespaces(7)).
"""

import ctypes
import os

_CLONE_NEWNS, _CLONE_NEWIPC = 0x00020000, 0x08000000
_MS_NOSUID, _MS_NODEV, _MS_REC, _MS_SLAVE = 2, 4, 16384, 1 << 19
_MNT_DETACH = 2
_SHARED = b"/dev/shm"
_libc = ctypes.CDLL(None, use_errno=True)


class PrivateMemory:
    """The shared memory of one process and what it starts, renewed for each attempt."""

    def __init__(self) -> None:
        self._has_view = False
        self._is_mounted = False

    def renew(self, size_mib: int) -> None:
        """Begin with empty shared memory; raise OSError where the kernel does not allow it."""
        self.release()
        if not self._has_view:
            _call("unshare", _CLONE_NEWNS)
            _call("mount", None, b"/", None, ctypes.c_ulong(_MS_REC | _MS_SLAVE), None)
            self._has_view = True
        _call("unshare", _CLONE_NEWIPC)
        options = f"mode=1777,size={size_mib}m".encode()
        _call("mount", b"eisbach", _SHARED, b"tmpfs", ctypes.c_ulong(_MS_NOSUID | _MS_NODEV), options)
        self._is_mounted = True

    def release(self) -> None:
        """Give the memory back."""
        if self._is_mounted:
            self._is_mounted = False
            _call("umount2", _SHARED, _MNT_DETACH)


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
