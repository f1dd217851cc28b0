"""Files of the home that survive a crash: mode 0600, whole or absent, on disk when the call returns."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write a text as UTF-8 into a file of mode 0600; a reader sees the old content or the new one, which is durable."""
    write_private_bytes(path, text.encode())


def write_private_bytes(path: Path, content: bytes) -> None:
    """Write bytes into a file of mode 0600; a reader sees the old content or the new one, which is durable."""
    draft = path.with_name(f".{path.name}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
