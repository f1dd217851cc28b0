"""Lets the users of jobs reach the Python of Eisbach where a closed folder, such as /root, stands before it.

Root often keeps Python and a clone in its own home. Nothing there is opened: the agent, and so all it starts, gets a
view of the machine (mount_namespaces(7)) in which the closed folder holds only what the agent and jobs need.
"""

import ctypes
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import eisbach
from eisbach.engines.local.layout import first_closed_folder

_CLONE_NEWNS = 0x00020000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT = 1, 2, 4, 32
_MS_BIND, _MS_REC, _MS_SLAVE = 4096, 16384, 1 << 19
_libc = ctypes.CDLL(None, use_errno=True)


def python_folders() -> list[Path]:
    """Return the folders that hold the Python of Eisbach with its packages: the environment's and the base's."""
    prefixes = [Path(sys.prefix), Path(sys.base_prefix)]
    return sorted({*prefixes, *(Path(os.path.realpath(folder)) for folder in prefixes)})


def closed_before_python(view: Path = Path("/")) -> Path | None:
    """Return the first folder that keeps other users from the Python of Eisbach, or None.

    `view` is the root of the file system as somebody else sees it, such as /proc/PID/root.
    """
    for folder in python_folders():
        closed = first_closed_folder(view / folder.relative_to("/"))
        if closed is not None:
            return Path("/") / closed.relative_to(view) if closed.is_relative_to(view) else closed
    return None


def open_the_way(own_folders: Sequence[Path]) -> None:
    """Give this process a view in which jobs reach Python; raise PermissionError where the kernel does not allow it.

    `own_folders` are what this process itself needs later. Nothing is changed where no closed folder stands before
    Python, or where one of the needed folders is itself the closed one.
    """
    needed = [*python_folders(), Path(eisbach.__file__).parent, *own_folders]
    found = {first_closed_folder(folder) for folder in python_folders()}
    closed = {folder for folder in found if folder is not None and folder not in needed}
    if not closed:
        return
    _call("unshare", _CLONE_NEWNS)
    _mount(None, Path("/"), None, _MS_REC | _MS_SLAVE, None)
    for folder in sorted(closed):
        _replace(folder, sorted({path for path in needed if path.is_relative_to(folder)}))


def _replace(closed: Path, kept: Sequence[Path]) -> None:
    """Put an empty folder in the place of a closed one, with only some folders of its content."""
    handles = [(path, os.open(path, os.O_PATH | os.O_DIRECTORY)) for path in kept]
    _mount("eisbach", closed, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755,size=1m")
    before = os.umask(0o022)
    try:
        for path, handle in handles:
            path.mkdir(parents=True, exist_ok=True)
            _mount(f"/proc/self/fd/{handle}", path, None, _MS_BIND | _MS_REC, None)
            os.close(handle)
    finally:
        os.umask(before)
    _mount(None, closed, None, _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV, None)


def _mount(source: str | None, target: Path, kind: str | None, flags: int, options: str | None) -> None:
    source_bytes = None if source is None else source.encode()
    kind_bytes = None if kind is None else kind.encode()
    _call("mount", source_bytes, os.fsencode(target), kind_bytes, ctypes.c_ulong(flags), options and options.encode())


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
