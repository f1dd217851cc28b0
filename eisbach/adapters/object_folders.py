"""Data sets on disk: content-addressed chunks, counted by the file system itself through hard links.

    ROOT/SITE/ORGANISATION/chunks/ab/<sha256>                 each chunk of the organisation once
    ROOT/SITE/ORGANISATION/sets/<data set>/<number>-<sha256>  a link to each chunk of a data set, in order
    ROOT/SITE/ORGANISATION/incoming/<data set>.<number>.<n>   the chunk that is being filled; `n` bytes of it are durable
    ROOT/SITE/ORGANISATION/removing/<data set>[.json]         what is being deleted, and what its deletion found first

A chunk whose only link is the one in `chunks` belongs to nobody. Every step is durable before the next one begins.
"""

import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from eisbach.adapters.incoming_chunks import IncomingChunks, is_full, make_folder
from eisbach.adapters.private_files import sync_folder, write_private
from eisbach.core.vocabulary.invariant import require
from eisbach.ports.objects import (
    CHUNK_BYTES,
    Content,
    ObjectDamaged,
    ObjectsFull,
    Removed,
    Shelf,
    UploadBusy,
    manifest_of,
)

PIECE_BYTES = 1024 * 1024
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class ObjectFolders:
    """The objects of all sites whose folders lie on this machine."""

    def __init__(self, root: Path, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._root, self._chunk_bytes = root, chunk_bytes
        self._linking = threading.Lock()
        """held while links to chunks are made or counted"""
        self._writing: set[str] = set()
        self._digests: dict[str, tuple[int, Any]] = {}
        """data set -> the running SHA-256 of its first bytes, and of how many; only spares reading them again"""
        make_folder(root)

    def offset(self, shelf: Shelf, data_set: str, size: int) -> int:
        """Return how many bytes of a data set of `size` bytes are durable."""
        folder = self._folder(shelf)
        number = len(self._parts(shelf, data_set))
        tails = [int(tail.name.rpartition(".")[2]) for tail in folder.glob(f"incoming/{_safe(data_set)}.{number}.*")]
        return min(size, number * self._chunk_bytes + max(tails, default=0))

    @contextmanager
    def append(self, shelf: Shelf, data_set: str, size: int) -> Iterator[IncomingChunks]:
        """Take bytes behind the durable ones."""
        key = str(self._set(shelf, data_set))
        with self._linking:
            if key in self._writing:
                raise UploadBusy(data_set)
            self._writing.add(key)
        try:
            known = self._digests.pop(key, None)
            incoming = IncomingChunks(self._folder(shelf), _safe(data_set), size, self._chunk_bytes, self._linking, known)
            try:
                yield incoming
            finally:
                digest = incoming.close()
                if digest is not None:
                    self._digests[key] = (incoming.offset, digest)
        except OSError as error:
            if not is_full(error):
                raise
            raise ObjectsFull(str(error)) from error
        finally:
            self._writing.discard(key)

    def seal(self, shelf: Shelf, data_set: str, size: int) -> Content:
        """Return what a whole data set consists of."""
        known = self._digests.pop(str(self._set(shelf, data_set)), None)
        parts = self._whole_parts(shelf, data_set, size)
        if known is None or known[0] != size:
            return self.verify(shelf, data_set, size)
        return self._content(size, parts, known[1].hexdigest())

    def verify(self, shelf: Shelf, data_set: str, size: int) -> Content:
        """Read every byte again and return what is there."""
        parts = self._whole_parts(shelf, data_set, size)
        whole = sha256()
        for part in parts:
            whole.update(self._checked(part))
        return self._content(size, parts, whole.hexdigest())

    def read(self, shelf: Shelf, data_set: str, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` to before `end`; no byte leaves before its whole chunk is checked."""
        parts = self._parts(shelf, data_set)
        for number in range(start // self._chunk_bytes, -(-end // self._chunk_bytes)):
            if number >= len(parts):
                raise ObjectDamaged(f"chunk {number} of {data_set} is missing at {shelf.site}")
            first = number * self._chunk_bytes
            wanted = memoryview(self._checked(parts[number]))[max(0, start - first) : end - first]
            for at in range(0, len(wanted), PIECE_BYTES):
                yield bytes(wanted[at : at + PIECE_BYTES])

    def folder_of(self, shelf: Shelf, data_set: str) -> Path | None:
        """Return the folder of a data set's chunks."""
        folder = self._set(shelf, data_set)
        return folder if folder.is_dir() else None

    def copy(self, source: Shelf, target: Shelf, data_set: str, size: int) -> None:
        """Have the data set on another shelf too."""
        with self.append(target, data_set, size) as incoming:
            for piece in self.read(source, data_set, incoming.offset, size):
                incoming.write(piece)

    def remove(self, shelf: Shelf, data_set: str) -> Removed:
        """Delete a data set with the chunks that no other one holds."""
        folder, going = self._set(shelf, data_set), self._folder(shelf) / "removing" / _safe(data_set)
        note = going.with_name(f"{going.name}.json")
        with self._linking:
            if str(folder) in self._writing:
                raise UploadBusy(data_set)
            self._digests.pop(str(folder), None)
            for tail in self._folder(shelf).glob(f"incoming/{_safe(data_set)}.*"):
                tail.unlink(missing_ok=True)
            if folder.is_dir():
                make_folder(going.parent)
                os.rename(folder, going)
                sync_folder(folder.parent)
                sync_folder(going.parent)
            if going.is_dir():
                if not note.exists():
                    write_private(note, json.dumps(self._count(shelf, going)))
                self._unlink_all(shelf, going)
        return Removed(**json.loads(note.read_text())) if note.exists() else Removed(0, 0)

    def forget_removal(self, shelf: Shelf, data_set: str) -> None:
        """Let go of what `remove` remembers."""
        (self._folder(shelf) / "removing" / f"{_safe(data_set)}.json").unlink(missing_ok=True)

    def sweep(self) -> int:
        """Delete chunks that no data set holds."""
        deleted = 0
        for chunk in self._root.glob("*/*/chunks/*/*"):
            with self._linking:
                if chunk.stat().st_nlink == 1:
                    chunk.unlink()
                    deleted += 1
        return deleted

    def free_bytes(self) -> int:
        """Return how much room there is."""
        return shutil.disk_usage(self._root).free

    def _folder(self, shelf: Shelf) -> Path:
        return self._root / _folder_of_site(shelf.site) / _safe(shelf.organisation)

    def _set(self, shelf: Shelf, data_set: str) -> Path:
        return self._folder(shelf) / "sets" / _safe(data_set)

    def _chunk(self, shelf: Shelf, part: Path) -> Path:
        digest = part.name.partition("-")[2]
        return self._folder(shelf) / "chunks" / digest[:2] / digest

    def _parts(self, shelf: Shelf, data_set: str) -> list[Path]:
        folder = self._set(shelf, data_set)
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def _whole_parts(self, shelf: Shelf, data_set: str, size: int) -> list[Path]:
        parts = self._parts(shelf, data_set)
        expected = -(-size // self._chunk_bytes)
        if len(parts) != expected:
            raise ObjectDamaged(f"{data_set} has {len(parts)} of {expected} chunks at {shelf.site}")
        return parts

    def _content(self, size: int, parts: list[Path], digest: str) -> Content:
        digests = [part.name.partition("-")[2] for part in parts]
        return Content(size, digest, manifest_of(size, digests), len(parts))

    def _checked(self, part: Path) -> bytes:
        try:
            content = part.read_bytes()
        except FileNotFoundError as error:
            raise ObjectDamaged(f"the chunk {part.name} is missing") from error
        if sha256(content).hexdigest() != part.name.partition("-")[2]:
            raise ObjectDamaged(f"the chunk {part.name} does not have its hash any more")
        return content

    def _count(self, shelf: Shelf, going: Path) -> dict[str, int]:
        """Count the chunks, and those that other data sets hold as well."""
        parts = list(going.iterdir())
        own: dict[str, int] = {}
        for part in parts:
            digest = part.name.partition("-")[2]
            own[digest] = own.get(digest, 0) + 1
        shared = sum(1 for part in parts if _links(self._chunk(shelf, part)) > 1 + own[part.name.partition("-")[2]])
        return {"chunks": len(parts), "shared": shared}

    def _unlink_all(self, shelf: Shelf, going: Path) -> None:
        for part in going.iterdir():
            chunk = self._chunk(shelf, part)
            part.unlink()
            if _links(chunk) == 1:
                chunk.unlink()
                sync_folder(chunk.parent)
        going.rmdir()
        sync_folder(going.parent)


def _links(chunk: Path) -> int:
    try:
        return chunk.stat().st_nlink
    except FileNotFoundError:
        return 0


def _folder_of_site(site: str) -> str:
    """Return the folder of a site: its name, or, where that has other signs than ids, its SHA-256 behind a `~`."""
    return site if _SAFE.fullmatch(site) else f"~{sha256(site.encode()).hexdigest()}"


def _safe(name: str) -> str:
    require(_SAFE.fullmatch(name) is not None, "only ids become names of folders")
    return name
