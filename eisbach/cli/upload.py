"""Sends a file by the tus protocol: goes on where an earlier call ended, waits for a factory that went away, compares hashes."""

import contextlib
import hashlib
import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from eisbach.cli.client import Client
from eisbach.cli.errors import CliError, usage_error
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.terminal import clean
from eisbach.core.vocabulary.reasons import Reason
from eisbach.settings import TIMEOUTS

PIECE_BYTES = 1024 * 1024
TUS = {"Tus-Resumable": "1.0.0"}
RETRY_S = 0.5
RETRY_S_MAX = 5.0
_GO_ON = {Reason.WRONG_OFFSET.value, Reason.UPLOAD_BUSY.value, Reason.WRONG_CHECKSUM.value}
"""After these, asking for the offset and going on from there helps."""
_FULL = {Reason.DISK_FULL.value, Reason.STORE_FULL.value}
Json = dict[str, Any]
Progress = Callable[[int], None]


def file_size(path: Path) -> int:
    """Return the size of a file that can be sent; raise CliError."""
    try:
        if not path.is_file():
            raise usage_error(f"{path} is no file", "Name one file; pack a folder first, for example with tar")
        size = path.stat().st_size
    except OSError as error:
        raise usage_error(f"{path} cannot be read: {error.strerror}") from error
    if size == 0:
        raise usage_error(f"{path} is empty (0 bytes)", "There is nothing to keep")
    return size


def unfinished(client: Client, project: str, name: str, size: int) -> Json | None:
    """Return the newest unfinished upload of a file of this name and size, or None."""
    for one in client.pages(f"/v1/projects/{project}/data"):
        if one["stage"] == "uploading" and (one["name"], one["size"]) == (name, size):
            return dict(one)
    return None


def begin(client: Client, project: str, size: int, told: Mapping[str, str]) -> Json:
    """Announce a file and return the upload; empty facts are left out."""
    pairs = [f"{key} {b64encode(value.encode()).decode()}" for key, value in told.items() if value]
    headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": ",".join(pairs)}
    _, content = client.exchange("POST", f"/v1/projects/{project}/uploads", headers)
    made: Json = json.loads(content)
    return made


def send(client: Client, data_set: str, path: Path, size: int, progress: Progress) -> Json:
    """Send what is missing and return the data set once its hash is that of the file; raise CliError."""
    where = f"/v1/uploads/{data_set}"
    with open(path, "rb") as file:
        sender = _Sender(client, where, file, size, progress)
        best, deadline, pause = -1, time.monotonic() + TIMEOUTS.reconnect_s, RETRY_S
        while (offset := sender.offset()) != size:
            if offset is not None and offset > best:
                best, deadline, pause = offset, time.monotonic() + TIMEOUTS.reconnect_s, RETRY_S
            if offset is not None and sender.send_from(offset):
                continue
            if time.monotonic() > deadline:
                raise client.unreachable("it did not come back in time; the same command goes on later")
            time.sleep(pause)
            pause = min(pause * 2, RETRY_S_MAX)
        digest = sender.digest()
    found: Json = client.get(f"/v1/data/{data_set}")
    if found["sha256"] != digest:
        raise CliError(
            f"What the factory has of {clean(found['name'])} is not the file {path}: the hashes differ",
            f"The file changed meanwhile: delete it with `eisbach data delete {data_set}` and send it again",
        )
    return found


class _Sender:
    """One file on its way; knows the hash of what it read."""

    def __init__(self, client: Client, where: str, file: IO[bytes], size: int, progress: Progress) -> None:
        self._client, self._where, self._file, self._size, self._progress = client, where, file, size, progress
        self._hashed, self._digest = 0, hashlib.sha256()

    def offset(self) -> int | None:
        """Return how many bytes the factory has; None where it does not answer now."""
        answer = self._try("HEAD", TUS, None)
        if answer is None:
            return None
        offset = int(answer["upload-offset"])
        self._progress(offset)
        return offset

    def send_from(self, offset: int) -> bool:
        """Send all bytes from an offset on; return whether the factory answered that it took them."""
        headers = {
            **TUS,
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(offset),
            "Content-Length": str(self._size - offset),
        }
        return self._try("PATCH", headers, self._bytes_from(offset)) is not None

    def digest(self) -> str:
        """Return the SHA-256 of the whole file."""
        self._hash_up_to(self._size)
        return self._digest.hexdigest()

    def _try(self, method: str, headers: Mapping[str, str], content: Iterator[bytes] | None) -> Mapping[str, str] | None:
        try:
            return self._client.exchange(method, self._where, headers, content)[0]
        except CliError as error:
            is_passing = error.code == ExitCode.UNAVAILABLE and error.reason not in _FULL
            if is_passing or error.reason in _GO_ON:
                return None
            raise

    def _bytes_from(self, offset: int) -> Iterator[bytes]:
        self._hash_up_to(offset)
        self._file.seek(offset)
        while piece := self._file.read(min(PIECE_BYTES, self._size - offset)):
            self._take(offset, piece)
            offset += len(piece)
            yield piece
            self._progress(offset)
        if offset < self._size:
            raise CliError(f"{self._file.name} became shorter while it was sent", "Send it again once it is whole")

    def _hash_up_to(self, offset: int) -> None:
        self._file.seek(min(self._hashed, offset))
        while self._hashed < offset and (piece := self._file.read(min(PIECE_BYTES, offset - self._hashed))):
            self._take(self._hashed, piece)

    def _take(self, at: int, piece: bytes) -> None:
        """Hash what was not hashed yet: after a break the same bytes are read again."""
        fresh = piece[self._hashed - at :] if at <= self._hashed else b""
        self._digest.update(fresh)
        self._hashed += len(fresh)


@contextlib.contextmanager
def shown_progress(name: str, size: int) -> Iterator[Progress]:
    """Show on a terminal how far an upload is; elsewhere nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda offset: None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(clean(name), total=size)
        yield lambda offset: shown.update(task, completed=offset)
