"""Secrets as files of mode 0600 below one folder: project / name."""

from collections.abc import Sequence
from pathlib import Path

from eisbach.adapters.private_files import write_private


class SecretFolder:
    """The keeper of a single machine; the folder is 0700."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, project: str, name: str, value: str) -> None:
        """Write a value durably; a reader sees the old one or the new one."""
        folder = self._root / project
        folder.mkdir(mode=0o700, exist_ok=True)
        write_private(folder / name, value)

    def get(self, project: str, name: str) -> str | None:
        """Return a value, or None."""
        try:
            return (self._root / project / name).read_text()
        except FileNotFoundError:
            return None

    def remove(self, project: str, name: str) -> bool:
        """Remove a value; return whether there was one."""
        try:
            (self._root / project / name).unlink()
        except FileNotFoundError:
            return False
        return True

    def names(self, project: str) -> Sequence[str]:
        """Return the names, sorted; unfinished writes are not among them."""
        folder = self._root / project
        return sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []
