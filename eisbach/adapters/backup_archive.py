"""A backup is one tar file of mode 0600: a manifest with the digest of each member, then the members."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

FORMAT = "eisbach.backup/1"
MANIFEST = "manifest.json"
CHUNK = 1 << 20


class NoBackup(Exception):
    """A file is not a backup of this program, or it is damaged."""


def write(file: Path, members: Mapping[str, Path]) -> None:
    """Write a backup of files and folders under the given names; raise FileExistsError or OSError.

    It appears under its name only when it is complete and on disk.
    """
    if file.exists():
        raise FileExistsError(f"{file} exists already; a backup is never written over")
    draft = file.with_name(f".{file.name}.draft")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            with tarfile.open(fileobj=out, mode="w") as archive:
                _add_all(archive, members)
            out.flush()
            os.fsync(out.fileno())
        os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)


def read(file: Path, into: Path, allowed: Collection[str]) -> None:
    """Unpack a backup into an empty folder after checking every member; raise NoBackup or OSError.

    `allowed` are the first parts of the names that may stand in it.
    """
    try:
        with tarfile.open(file, mode="r:") as archive:
            manifest = _manifest(archive)
            for member in archive:
                if member.name != MANIFEST:
                    _unpack(archive, member, into, allowed, manifest)
            if manifest:
                raise NoBackup(f"{file} lacks {', '.join(sorted(manifest)[:5])}: it is incomplete")
    except (tarfile.TarError, EOFError) as error:
        raise NoBackup(f"{file} is no backup or is damaged: {error}") from error


def _add_all(archive: tarfile.TarFile, members: Mapping[str, Path]) -> None:
    found = dict(_files(members))
    digests = {name: _digest(path) for name, path in found.items()}
    text = json.dumps({"format": FORMAT, "sha256": digests}, indent=1).encode()
    info = tarfile.TarInfo(MANIFEST)
    info.size, info.mode = len(text), 0o600
    archive.addfile(info, io.BytesIO(text))
    for name, path in found.items():
        info = tarfile.TarInfo(name)
        info.size, info.mode = path.stat().st_size, 0o600
        with path.open("rb") as file:
            archive.addfile(info, file)


def _files(members: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    for name, path in sorted(members.items()):
        if path.is_dir():
            for inner in sorted(path.rglob("*")):
                if inner.is_file() and not inner.is_symlink() and not inner.name.startswith("."):
                    yield f"{name}/{inner.relative_to(path)}", inner
        else:
            yield name, path


def _manifest(archive: tarfile.TarFile) -> dict[str, str]:
    first = archive.next()
    content = archive.extractfile(first) if first is not None and first.name == MANIFEST else None
    if content is None:
        raise NoBackup("the file does not begin with a backup's manifest")
    try:
        manifest = json.loads(content.read())
        if manifest["format"] != FORMAT:
            raise NoBackup(f"the backup has the format {manifest['format']!r}, this program reads {FORMAT}")
        return dict(manifest["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise NoBackup(f"the backup's manifest cannot be read: {error}") from error


def _unpack(
    archive: tarfile.TarFile, member: tarfile.TarInfo, into: Path, allowed: Collection[str], manifest: dict[str, str]
) -> None:
    parts = Path(member.name).parts
    expected = manifest.pop(member.name, None)
    if expected is None or not member.isfile() or ".." in parts or parts[0] not in allowed:
        raise NoBackup(f"the backup holds {member.name!r}, which does not belong in one")
    content = archive.extractfile(member)
    target = into.joinpath(*parts)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = hashlib.sha256()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        while content is not None and (chunk := content.read(CHUNK)):
            digest.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    if digest.hexdigest() != expected:
        raise NoBackup(f"{member.name} in the backup is damaged: its digest is not the one in the manifest")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
