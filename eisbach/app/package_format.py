"""The format of a package, `eisbach-export/1`: its files, its list of files and who signs it. See docs/export.md."""

from collections.abc import Iterator
from hashlib import sha256

import msgspec

from eisbach.ports.packages import NoPackage, Package

FORMAT = "eisbach-export/1"
README = "README.md"
KEY = "origin/key.txt"
EVENTS = "events.jsonl"
TEXTS = "texts.jsonl"
MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
MANIFEST_BYTES_MAX = 256 * 1024**2
SMALL_BYTES_MAX = 64 * 1024
LINE_BYTES_MAX = 16 * 1024**2


class ListedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the package. `proven` is by what: `log` (follows from events under the head) or `signature` alone."""

    path: str
    size: int
    sha256: str
    proven: str


class LeftBehind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something of the organisation that is not in the package, and why."""

    what: str
    why: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a package holds and what it does not."""

    format: str
    organisation: str
    origin: str
    key: str
    software: str
    exported_ms: int
    log_size: int
    events: int
    unfinished: list[LeftBehind]
    left_out: list[LeftBehind]
    files: list[ListedFile]


class TextLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text that an event commits to: SHA-256(salt || text) stands in the event."""

    id: str
    salt: str
    text: str


class EventsHeader(msgspec.Struct, frozen=True):
    """The first line of the events: an audit bundle's (docs/audit-bundle.md)."""

    format: str
    origin: str
    key: str
    head: str
    leaf_count: int
    complete: bool


class EventLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event with its place in the first factory's log, its bytes and its proof, in base64."""

    index: int
    data: str
    proof: list[str]


def signed_text(origin: str, manifest: bytes) -> str:
    """Return what the origin signs: no checkpoint, since its first line is no origin."""
    return f"{FORMAT}\n{origin}\n{sha256(manifest).hexdigest()}\n"


def read_small(package: Package, name: str, bytes_max: int = SMALL_BYTES_MAX) -> bytes:
    """Return a whole file that must be small; raise NoPackage."""
    if package.size(name) > bytes_max:
        raise NoPackage(name, f"it has more than {bytes_max} bytes")
    return b"".join(package.read(name))


def lines_of(package: Package, name: str) -> Iterator[bytes]:
    """Yield the lines of a file; raise NoPackage for one that is endless or cut."""
    rest = b""
    for piece in package.read(name):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) > LINE_BYTES_MAX:
            raise NoPackage(name, f"a line has more than {LINE_BYTES_MAX} bytes")
    if rest:
        raise NoPackage(name, "its last line is cut")
