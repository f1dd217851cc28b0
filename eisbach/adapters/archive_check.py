"""Checks an uploaded working directory before anything unpacks it: tar or tar.gz, bounded, nothing that leads out."""

import gzip
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from eisbach.core.vocabulary.reasons import Reason, Refusal

BYTES_MAX = 2 * 1024**3
ENTRIES_MAX = 200_000
HEADER_BYTES_MAX = 1024 * 1024
"""What the description of one entry (long names, extended headers) may take; tarfile holds it in memory."""
GLOBAL_HEADERS_MAX = 64
PATH_BYTES_MAX = 4096
NAME_BYTES_MAX = 255
DEPTH_MAX = 128

_BLOCK = 512
_HEADERS = 4 * _BLOCK
"""What the headers of an entry and its padding usually take in the stream, on top of the files themselves."""
_CHUNK = 1024 * 1024
_TAIL = 2 * _BLOCK
_OTHER_FORMATS = (
    (b"PK", "a zip file"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"\xfd7zXZ", "compressed with xz"),
    (b"BZh", "compressed with bzip2"),
)
_DAMAGE = (
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    ValueError,
    OverflowError,
    RecursionError,  # extended headers that follow one another without end
    IndexError,
    KeyError,
)
_HOW = "Pack the folder again; `eisbach run` does it"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFacts:
    """What an archive holds once unpacked."""

    entries: int
    files: int
    unpacked_bytes: int


def check_archive(path: Path, *, bytes_max: int = BYTES_MAX, entries_max: int = ENTRIES_MAX) -> Refusal | ArchiveFacts:
    """Return what the archive at `path` holds, or why it is refused; reading stops at `bytes_max` unpacked bytes.

    Accepted are files, folders, hard links to earlier files and symbolic links that stay inside whatever else the
    archive holds: `..` may only stand at their beginning, and nothing may be unpacked through a link.
    """
    with path.open("rb") as file:
        start = file.read(_BLOCK)
        for magic, kind in _OTHER_FORMATS:
            if start.startswith(magic):
                return Refusal(Reason.INVALID_ARCHIVE, f"The archive is {kind}", "Pack it as tar or tar.gz")
        file.seek(0)
        compressed = start.startswith(b"\x1f\x8b")
        unpacked: IO[bytes] = gzip.GzipFile(fileobj=file, mode="rb") if compressed else file  # type: ignore[assignment]
        try:
            return _Check(_Stream(unpacked, bytes_max + entries_max * _HEADERS), bytes_max, entries_max).run()
        except _Refused as refused:
            return refused.refusal
        except _DAMAGE:
            return _damaged("is not a tar or tar.gz file, or is damaged or cut short")


class _Refused(Exception):
    """Ends a check early; never leaves this module."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class _Stream:
    """The unpacked bytes, read forwards once with a short way back, within bounds of size and of memory."""

    def __init__(self, source: IO[bytes], bytes_max: int) -> None:
        self._source = source
        self._bytes_max = bytes_max
        self._position = 0
        self._end = 0
        self._tail = b""
        self.allowance = HEADER_BYTES_MAX
        self.last_read = b""

    def tell(self) -> int:
        return self._position

    def seek(self, position: int, whence: int = 0) -> int:
        if whence != 0 or position < self._end - len(self._tail):
            raise tarfile.ReadError("an archive is read forwards")
        while self._end < position and self._fetch(min(_CHUNK, position - self._end)):
            pass
        self._position = position
        return position

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self.allowance:
            raise _Refused(_damaged(f"describes an entry in more than {HEADER_BYTES_MAX // 1024} KiB"))
        self.allowance -= size
        behind = self._end - self._position
        data = self._tail[len(self._tail) - behind :][:size] if behind > 0 else b""
        while len(data) < size and behind >= 0:
            chunk = self._fetch(size - len(data))
            if not chunk:
                break
            data += chunk
        self._position += len(data)
        self.last_read = data
        return data

    def rest_is_zero(self) -> bool:
        """Return whether nothing but padding follows; reads to the end, which also checks gzip's checksum."""
        while chunk := self._fetch(_CHUNK):
            if chunk.strip(b"\0"):
                return False
        return True

    def _fetch(self, size: int) -> bytes:
        chunk = self._source.read(size)
        self._end += len(chunk)
        if self._end > self._bytes_max + _CHUNK:
            raise _Refused(_too_large(self._bytes_max))
        self._tail = (self._tail + chunk)[-_TAIL:]
        return chunk


class _Check:
    """One pass over the entries; `_kinds` remembers what stands where, so that order plays no role."""

    def __init__(self, stream: _Stream, bytes_max: int, entries_max: int) -> None:
        self._stream = stream
        self._bytes_max = bytes_max
        self._entries_max = entries_max
        self._kinds: dict[str, bytes] = {}

    def run(self) -> ArchiveFacts:
        entries = files = size = 0
        with tarfile.open(fileobj=self._stream, mode="r:") as tar:  # type: ignore[call-overload]
            while (member := self._next(tar)) is not None:
                entries += 1
                files += member.isreg()
                size += member.size if member.isreg() else 0
                if entries > self._entries_max:
                    what = f"The archive has more than {self._entries_max} files and folders"
                    raise _Refused(Refusal(Reason.TOO_LARGE, what, "Leave out what the job does not need"))
                if size > self._bytes_max:
                    raise _Refused(_too_large(self._bytes_max))
                self._check(member)
        # tarfile takes a missing end and any garbage for the end; another program may read on behind it
        if self._stream.last_read != bytes(_BLOCK) or not self._stream.rest_is_zero():
            return_what = "is damaged or cut short: it has no proper end"
            raise _Refused(_damaged(return_what))
        return ArchiveFacts(entries=entries, files=files, unpacked_bytes=size)

    def _next(self, tar: tarfile.TarFile) -> tarfile.TarInfo | None:
        self._stream.allowance = HEADER_BYTES_MAX
        member = tar.next()
        tar.members = []  # type: ignore[attr-defined]  # else it keeps every entry that it ever saw
        if len(tar.pax_headers) > GLOBAL_HEADERS_MAX:
            raise _Refused(_damaged("has too many global headers"))
        return member

    def _check(self, member: tarfile.TarInfo) -> None:
        path = self._inside(member)
        if path == "":
            if not member.isdir():
                raise _entry(member, "has no name")
            return
        if member.issparse() or not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
            raise _entry(member, "is a device, a pipe or of another kind that is not unpacked")
        self._check_folders(member, path)
        known = self._kinds.get(path)
        if known is not None and not (member.isdir() and known == tarfile.DIRTYPE):
            raise _entry(member, "stands twice in the archive")
        if member.issym():
            self._check_symbolic_link(member, path)
        elif member.islnk():
            self._check_hard_link(member)
        self._kinds[path] = (
            tarfile.DIRTYPE if member.isdir() else tarfile.SYMTYPE if member.issym() else tarfile.REGTYPE
        )

    def _inside(self, member: tarfile.TarInfo) -> str:
        name = member.name
        if name.startswith("/"):
            raise _entry(member, "has an absolute path")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise _entry(member, "leads out of the folder with `..`")
        try:
            sizes = [len(part.encode()) for part in parts]
        except UnicodeEncodeError:
            raise _entry(member, "has a name that is not UTF-8") from None
        if sum(sizes) + len(sizes) > PATH_BYTES_MAX or max(sizes, default=0) > NAME_BYTES_MAX or len(parts) > DEPTH_MAX:
            raise _entry(member, "has a path that is too long or too deep")
        if "\0" in name or (parts and not member.isdir() and name.rstrip("/").rpartition("/")[2] == "."):
            raise _entry(member, "has a name that no file can have")
        return "/".join(parts)

    def _check_folders(self, member: tarfile.TarInfo, path: str) -> None:
        folder = path.rpartition("/")[0]
        while folder and self._kinds.get(folder) is None:
            self._kinds[folder] = tarfile.DIRTYPE
            folder = folder.rpartition("/")[0]
        if folder and self._kinds[folder] != tarfile.DIRTYPE:
            raise _entry(member, "lies behind a link or inside a file")

    def _check_symbolic_link(self, member: tarfile.TarInfo, path: str) -> None:
        target = member.linkname
        parts = [part for part in target.split("/") if part not in ("", ".")]
        climbs = 0
        while climbs < len(parts) and parts[climbs] == "..":
            climbs += 1
        # a `..` further on would climb from wherever a link before it leads to, so only leading ones can be judged
        if target.startswith("/") or climbs > path.count("/") or ".." in parts[climbs:]:
            raise _entry(member, "is a link that leads out of the folder")
        if not target or "\0" in target or len(target.encode("utf-8", "replace")) > PATH_BYTES_MAX:
            raise _entry(member, "is a link to nothing that can be")

    def _check_hard_link(self, member: tarfile.TarInfo) -> None:
        parts = [part for part in member.linkname.split("/") if part not in ("", ".")]
        inside = not member.linkname.startswith("/") and ".." not in parts
        if (
            not inside
            or member.linkname.rpartition("/")[2] in ("", ".")
            or self._kinds.get("/".join(parts)) != tarfile.REGTYPE
        ):
            raise _entry(member, "is a hard link to something else than an earlier file of the archive")


def _entry(member: tarfile.TarInfo, what: str) -> _Refused:
    name = member.name if len(member.name) <= 80 else f"...{member.name[-80:]}"
    shown = name if name.isprintable() else ascii(name)[1:-1]
    return _Refused(Refusal(Reason.INVALID_ARCHIVE, f"`{shown}` in the archive {what}", "Leave it out", shown))


def _damaged(what: str) -> Refusal:
    return Refusal(Reason.INVALID_ARCHIVE, f"The archive {what}", _HOW)


def _too_large(bytes_max: int) -> Refusal:
    what = f"The archive holds more than {bytes_max // 1024**2} MiB when it is unpacked"
    return Refusal(Reason.TOO_LARGE, what, "Leave large data out and fetch it in `setup`")
