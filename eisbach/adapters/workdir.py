"""Packs a working directory for upload: the same folder gives the same bytes, nothing leads out of it."""

import gzip
import hashlib
import os
import stat
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from eisbach.adapters.ignore_rules import IgnoreRules
from eisbach.core.vocabulary.reasons import Reason, Refusal

BYTES_MAX = 2 * 1024**3
FILES_MAX = 200_000
LISTED_MAX = 4 * FILES_MAX
"""Where listing stops, so that `workdir: /` is refused and not walked to its end."""
NAMED_MAX = 5

IGNORE_FILES = (".eisbachignore", ".skyignore", ".gitignore")
"""The first of these in the folder counts, as with SkyPilot, where .skyignore takes the place of .gitignore."""
ALWAYS_LEFT_OUT = (".git/", "__pycache__/", ".venv/", ".mypy_cache/", ".pytest_cache/", ".ruff_cache/", ".DS_Store")

# 1980-01-01: the earliest date that zip files know, and with them Python's wheels; kept equal so that equal files pack equally
_MTIME = 315_532_800


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedWorkdir:
    """A packed folder: where it lies, its archive id, and what is in it; `left_out` are sockets, pipes and devices."""

    path: Path
    archive_id: str
    packed_bytes: int
    unpacked_bytes: int
    files: int
    ignore_file: str | None
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """Something to pack: its path inside, its status, and for a link where it leads (relative, normalised)."""

    path: str
    status: os.stat_result
    target: str = ""


def pack_workdir(folder: Path, into: Path, *, bytes_max: int = BYTES_MAX) -> PackedWorkdir | Refusal:
    """Write the folder as tar.gz to the new file `into`; folders, files, their modes, and links that stay inside."""
    try:
        root = folder.resolve(strict=True)
        if not root.is_dir():
            return _wrong(f"`workdir` {folder} is not a folder", "Name the folder that holds your code")
        rules, ignore_file = _rules_of(root)
        entries, left_out = [], []
        for entry in islice(_entries(root, rules), LISTED_MAX):
            if stat.S_ISREG(entry.status.st_mode) or stat.S_ISDIR(entry.status.st_mode) or entry.target:
                entries.append(entry)
            else:
                left_out.append(entry.path)
        refusal = _check(root, entries, bytes_max)
        if refusal is not None:
            return refusal
        archive_id = _write(root, entries, into)
    except OSError as error:
        return _wrong(
            f"`workdir` cannot be packed: {error.filename or folder}: {error.strerror or error}",
            "Make it readable, leave it out with .eisbachignore, or pack when nothing writes into it",
        )
    regular = [entry for entry in entries if stat.S_ISREG(entry.status.st_mode)]
    return PackedWorkdir(
        path=into,
        archive_id=archive_id,
        packed_bytes=into.stat().st_size,
        unpacked_bytes=sum(entry.status.st_size for entry in regular),
        files=len(regular),
        ignore_file=ignore_file,
        left_out=tuple(left_out),
    )


def _rules_of(root: Path) -> tuple[IgnoreRules, str | None]:
    for name in IGNORE_FILES:
        if (root / name).is_file():
            text = (root / name).read_text(encoding="utf-8", errors="replace")
            return IgnoreRules([*ALWAYS_LEFT_OUT, *text.splitlines()]), name
    return IgnoreRules(ALWAYS_LEFT_OUT), None


def _entries(root: Path, rules: IgnoreRules, inside: str = "") -> Iterator[_Entry]:
    """Yield what is to be packed, sorted by name in each folder, a folder before what it holds."""
    with os.scandir(root / inside) as found:
        names = sorted(found, key=lambda entry: entry.name)
    for entry in names:
        path = f"{inside}{entry.name}"
        is_folder = entry.is_dir(follow_symlinks=False)
        if rules.leave_out(path, is_folder):
            continue
        status = entry.stat(follow_symlinks=False)
        yield _Entry(path, status, _target(root, path) if entry.is_symlink() else "")
        if is_folder:
            yield from _entries(root, rules, f"{path}/")


def _target(root: Path, path: str) -> str:
    """Return where a link leads, relative to its own folder; an absolute path where that is outside of `root`."""
    link = root / path
    target = Path(os.path.realpath(link.parent / os.readlink(link)))
    return os.path.relpath(target, link.parent) if target.is_relative_to(root) else str(target)


def _check(root: Path, entries: list[_Entry], bytes_max: int) -> Refusal | None:
    unsound = [entry.path for entry in entries if not _is_utf8(entry.path) or not _is_utf8(entry.target)]
    if unsound:
        return _wrong(
            f"`workdir` holds names that are not UTF-8: {_named(unsound)}",
            "Rename them or leave them out with .eisbachignore",
        )
    outward = [f"{entry.path} -> {entry.target}" for entry in entries if entry.target.startswith("/")]
    if outward:
        return _wrong(
            f"`workdir` holds links that lead out of it: {_named(outward)}",
            "Copy what they lead to into the folder, or leave them out with .eisbachignore",
        )
    size = sum(entry.status.st_size for entry in entries if stat.S_ISREG(entry.status.st_mode))
    if size > bytes_max or len(entries) > FILES_MAX:
        what = f"`workdir` {root} holds {_size_text(size)} in {len(entries)} files and folders, but at most {_size_text(bytes_max)} in {FILES_MAX} are taken; largest: {_largest(entries)}"
        return Refusal(Reason.TOO_LARGE, what, "Leave data out with .eisbachignore and fetch it in `setup`")
    return None


def _largest(entries: list[_Entry]) -> str:
    """Return the folders (two levels deep at most) that hold most, and files of the top level."""
    sizes: Counter[str] = Counter()
    for entry in entries:
        if stat.S_ISREG(entry.status.st_mode):
            folders = entry.path.split("/")[:-1][:2]
            sizes["/".join(folders) + "/" if folders else entry.path] += entry.status.st_size
    return ", ".join(f"{name} ({_size_text(size)})" for name, size in sizes.most_common(NAMED_MAX))


def _write(root: Path, entries: list[_Entry], into: Path) -> str:
    descriptor = os.open(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            hashing = _Hashing(file)
            target = cast(IO[bytes], hashing)
            packed: Any = gzip.GzipFile(filename="", fileobj=target, mode="wb", compresslevel=3, mtime=0)
            with packed, tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                for entry in entries:
                    _add(tar, root, entry)
    except BaseException:
        into.unlink()  # only what this call has made
        raise
    return hashing.archive_id


class _Hashing:
    """A file that hashes what is written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    @property
    def archive_id(self) -> str:
        return f"sha256:{self._digest.hexdigest()}"

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def _add(tar: tarfile.TarFile, root: Path, entry: _Entry) -> None:
    member = tarfile.TarInfo(entry.path)
    member.mode = stat.S_IMODE(entry.status.st_mode) & 0o777  # no set-uid bits: the owner will be another
    member.mtime = _MTIME
    if entry.target:
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, entry.target, 0o777
        tar.addfile(member)
    elif stat.S_ISDIR(entry.status.st_mode):
        member.type = tarfile.DIRTYPE
        member.mode |= 0o700
        tar.addfile(member)
    else:
        member.size = entry.status.st_size
        member.mode |= 0o400
        with _open_plain(root / entry.path) as file:
            tar.addfile(member, file)  # raises OSError where the file has become shorter


def _open_plain(path: Path) -> IO[bytes]:
    """Open a file for reading that has not become a link or a pipe since it was listed."""
    return open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _named(paths: list[str]) -> str:
    shown = [path if path.isprintable() else ascii(path)[1:-1] for path in paths[:NAMED_MAX]]
    more = f" and {len(paths) - NAMED_MAX} more" if len(paths) > NAMED_MAX else ""
    return ", ".join(shown) + more


def _size_text(size: int) -> str:
    for unit, length in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if size >= length:
            return f"{size / length:.1f} {unit}"
    return f"{size} bytes"


def _wrong(what: str, do: str) -> Refusal:
    return Refusal(Reason.INVALID_ARGUMENT, what, do, "workdir")
