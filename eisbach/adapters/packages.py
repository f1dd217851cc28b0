"""Packages as plain tar files without compression: nothing unpacks to more than it is, and any tool reads them."""

import io
import os
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from eisbach.adapters.archives import full_disk
from eisbach.adapters.private_files import sync_folder
from eisbach.adapters.signing import verify_signature
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.ports.packages import Member, NoPackage

PIECE = 1 << 20
MEMBERS_MAX = 1_000_000
BLOCK = 512


class IncomingFile:
    """A package on its way in, as a file of mode 0600."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor, self.path = descriptor, path

    def write(self, data: bytes) -> Refusal | None:
        """Take the next bytes; return why no more are taken."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            return full_disk(error)
        return None


class TarPackage:
    """A tar file whose list of members was checked; its bytes are read where they lie."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places = dict(_members(path))

    @property
    def names(self) -> Sequence[str]:
        """Return the paths of all files, in their order."""
        return list(self._places)

    def size(self, name: str) -> int:
        """Return the size of a file; raise NoPackage where there is none of this name."""
        return self._place(name)[1]

    def read(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a file; raise NoPackage where there is none of this name."""
        start, left = self._place(name)
        with open(self._path, "rb") as file:
            file.seek(start)
            while left:
                piece = file.read(min(PIECE, left))
                if not piece:
                    raise NoPackage(name, "it ends too early")
                left -= len(piece)
                yield piece

    def _place(self, name: str) -> tuple[int, int]:
        place = self._places.get(name)
        if place is None:
            raise NoPackage(name, "it is missing")
        return place


class PackageFolder:
    """Packages that were imported, in a folder of the home: `<SHA-256 of the manifest>.tar`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)

    def pack(self, members: Iterable[Member]) -> Iterator[bytes]:
        """Yield a tar (POSIX.1-2001, pax) of these files, all of one instant, owner and mode."""
        for member in members:
            info = tarfile.TarInfo(member.name)
            info.size, info.mode = member.size, 0o600
            yield info.tobuf(tarfile.PAX_FORMAT)
            written = 0
            for piece in member.pieces:
                written += len(piece)
                yield piece
            if written != member.size:  # the receiver sees a cut file, and its manifest never comes
                raise NoPackage(member.name, f"{written} bytes came instead of {member.size}")
            yield b"\0" * (-written % BLOCK)
        yield b"\0" * (2 * BLOCK)

    @contextmanager
    def spool(self, name: str, pieces: Iterable[bytes]) -> Iterator[Member]:
        """Return bytes of unknown length as a member; large ones lie in a file that has no name."""
        with tempfile.SpooledTemporaryFile(max_size=PIECE, mode="w+b", dir=str(self._incoming)) as file:
            for piece in pieces:
                file.write(piece)
            size = file.tell()
            file.seek(0)
            yield Member(name, size, iter(lambda: file.read(PIECE), b""))

    @contextmanager
    def receive(self) -> Iterator[IncomingFile]:
        """Return a package on its way in; what was not kept at the end is deleted."""
        descriptor, name = tempfile.mkstemp(dir=self._incoming, prefix="package-")
        try:
            yield IncomingFile(descriptor, Path(name))
        finally:
            os.close(descriptor)
            Path(name).unlink(missing_ok=True)

    def open(self, path: Path) -> TarPackage:
        """Return what a file holds; raise NoPackage."""
        return TarPackage(path)

    def keep(self, path: Path, digest: str) -> None:
        """Keep a received package durably."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        path.replace(self._place(digest))
        sync_folder(self._root)

    def kept(self, digest: str) -> TarPackage | None:
        """Return a kept package, or None."""
        place = self._place(digest)
        return TarPackage(place) if place.is_file() else None

    def discard_unfinished(self) -> None:
        """Delete what a killed server left half received; only to be called while nothing is received."""
        for path in self._incoming.iterdir():
            path.unlink(missing_ok=True)

    def is_signed(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Return whether an Ed25519 signature is by this key over this message."""
        return verify_signature(public_key, message, signature)

    def _place(self, digest: str) -> Path:
        return self._root / f"{digest}.tar"


def _members(path: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield (path, (where its bytes begin, how many)) of each member; raise NoPackage for what no export writes."""
    seen: set[str] = set()
    whole = path.stat().st_size
    try:
        with tarfile.open(path, "r:", encoding="utf-8", errors="strict") as tar:  # "r:": a compressed one is none
            for info in tar:
                name = info.name
                if len(seen) >= MEMBERS_MAX:
                    raise NoPackage(name, f"the package has more than {MEMBERS_MAX} files")
                if not info.isreg() or info.issparse():
                    raise NoPackage(name, "it is no plain file")
                if not _is_inside(name):
                    raise NoPackage(name, "its path leads out of the package")
                if name in seen:
                    raise NoPackage(name, "it is there twice")
                if info.offset_data + info.size > whole:
                    raise NoPackage(name, "it ends too early")
                seen.add(name)
                yield name, (info.offset_data, info.size)
    except (tarfile.TarError, UnicodeError, EOFError, ValueError, io.UnsupportedOperation) as error:
        raise NoPackage(path.name if not seen else "package", f"it is no plain tar file ({error})") from error


def _is_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    is_plain = name.isprintable() and "\\" not in name and len(name.encode()) <= 4096
    return is_plain and bool(parts) and parts[0] != "/" and ".." not in parts and str(PurePosixPath(name)) == name
