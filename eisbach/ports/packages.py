"""What the application needs to hand out an organisation as one file, and to take one: packing, reading, keeping."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import msgspec

from eisbach.core.vocabulary.reasons import Refusal


class NoPackage(Exception):
    """A file is no package; `name` is the part that is wrong, `what` says why."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"{name}: {what}")
        self.name, self.what = name, what


class Member(msgspec.Struct, frozen=True):
    """A file in a package: its relative path, its size, and its bytes, which are read once."""

    name: str
    size: int
    pieces: Iterable[bytes]


class Incoming(Protocol):
    """A package on its way in, at `path` so far; what was not kept at the end is deleted."""

    path: Path

    def write(self, data: bytes) -> Refusal | None:
        """Take the next bytes; return why no more are taken."""


class Package(Protocol):
    """A package that can be read: plain files with relative paths, none twice, all bytes there."""

    @property
    def names(self) -> Sequence[str]:
        """Return the paths of all files, in their order."""

    def size(self, name: str) -> int:
        """Return the size of a file; raise NoPackage where there is none of this name."""

    def read(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a file; raise NoPackage where there is none of this name."""


class Packages(Protocol):
    """Packages of organisations."""

    def pack(self, members: Iterable[Member]) -> Iterator[bytes]:
        """Yield the bytes of a package of these files; equal files give equal bytes."""

    def spool(self, name: str, pieces: Iterable[bytes]) -> AbstractContextManager[Member]:
        """Return bytes of unknown length as a member, kept aside for as long as the context lasts."""

    def receive(self) -> AbstractContextManager[Incoming]:
        """Return a package on its way in."""

    def open(self, path: Path) -> Package:
        """Return what a file holds; raise NoPackage."""

    def keep(self, path: Path, digest: str) -> None:
        """Keep a received package durably under the SHA-256 of its list of files."""

    def kept(self, digest: str) -> Package | None:
        """Return a kept package, or None."""

    def is_signed(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Return whether an Ed25519 signature is by this key over this message."""
