"""What the application needs from the places where data sets lie: chunks by their content, per site and organisation."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import msgspec

CHUNK_BYTES = 8 * 1024**2
"""Every chunk of a data set but the last has this size; it is also the most that an interrupted upload sends twice."""

MANIFEST_FORMAT = "eisbach-chunks/1"


class ObjectsFull(Exception):
    """The disk under the objects is full; what was durable before is still there, the same call may be repeated."""


class ObjectDamaged(Exception):
    """A chunk is missing or is not what its hash says; the message says which."""


class UploadBusy(Exception):
    """Somebody else is sending bytes to the same data set at this moment."""


class Shelf(msgspec.Struct, frozen=True):
    """Where the chunks of an organisation lie at one site.

    Nothing is shared between organisations, not even a chunk that both hold. Sharing it would be an oracle: by the
    time of an upload, by a quota or by a certificate of deletion one customer could learn that another one holds the
    same file; and what one customer had deleted would go on lying there for the other.
    """

    site: str
    organisation: str


class Content(msgspec.Struct, frozen=True):
    """What a data set consists of: bytes, the SHA-256 of the whole file, the hash of its list of chunks, their number."""

    size: int
    sha256: str
    manifest: str
    chunks: int


class Removed(msgspec.Struct, frozen=True):
    """What a deletion found: chunks of the data set, and how many of them other data sets of the organisation hold too."""

    chunks: int
    shared: int


def manifest_of(size: int, digests: Iterable[str]) -> str:
    """Return the content hash: SHA-256 over a line `eisbach-chunks/1 <size>` and a line for each chunk, its SHA-256 in hex."""
    manifest = sha256(f"{MANIFEST_FORMAT} {size}\n".encode())
    for digest in digests:
        manifest.update(f"{digest}\n".encode())
    return manifest.hexdigest()


class Incoming(Protocol):
    """A data set on its way in, from `offset` on. What was written when the context ends is durable."""

    @property
    def offset(self) -> int:
        """Return how many bytes are there."""

    def write(self, data: bytes) -> None:
        """Add bytes; raise ObjectsFull."""


class Objects(Protocol):
    """Data sets as chunks. May be used from several threads; one data set is written by one at a time."""

    def offset(self, shelf: Shelf, data_set: str, size: int) -> int:
        """Return how many bytes of a data set of `size` bytes are durable."""

    def append(self, shelf: Shelf, data_set: str, size: int) -> AbstractContextManager[Incoming]:
        """Return a way to add bytes behind the durable ones; raise UploadBusy or ObjectsFull."""

    def seal(self, shelf: Shelf, data_set: str, size: int) -> Content:
        """Return what a whole data set consists of; raise ObjectDamaged where it is not whole. Reads it if need be."""

    def verify(self, shelf: Shelf, data_set: str, size: int) -> Content:
        """Read every byte again and return what is there; raise ObjectDamaged."""

    def read(self, shelf: Shelf, data_set: str, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` to before `end`, each chunk checked against its hash; raise ObjectDamaged."""

    def folder_of(self, shelf: Shelf, data_set: str) -> Path | None:
        """Return the folder whose files `<number>-<sha256>`, in the order of their names, are the data set's chunks."""

    def copy(self, source: Shelf, target: Shelf, data_set: str, size: int) -> None:
        """Have the data set on another shelf too; goes on where an earlier copy ended."""

    def remove(self, shelf: Shelf, data_set: str) -> Removed:
        """Delete a data set, whole or not, with the chunks that no other one holds; the same answer when repeated.

        Raise UploadBusy while bytes still come in.
        """

    def forget_removal(self, shelf: Shelf, data_set: str) -> None:
        """Let go of what `remove` remembers for its repetition."""

    def sweep(self) -> int:
        """Delete chunks that no data set holds, as a crash can leave them; return how many."""

    def free_bytes(self) -> int:
        """Return how much room there is."""
