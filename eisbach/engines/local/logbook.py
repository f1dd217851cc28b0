"""Writes the output of an attempt: bounded, with time, at no cost per line.

The log is a row of segment files named by the logical offset of their first byte. A record is a header line
`# <ms> <rank> <o|e|n> <flags> <length>` (n: a notice of the engine) and its bytes: whole lines, or with flag `p` a part
of a line that goes on in the next record of that stream. Past the bound the first half stays and the last half is a
ring: the oldest segment goes.
"""

import errno
import os
from pathlib import Path

PART_BYTES_MAX = 16 * 1024
READ_BYTES = 64 * 1024
SEGMENT_NAME_DIGITS = 16


class LogBook:
    """The log of one attempt, open for writing by its supervisor alone."""

    def __init__(self, folder: Path, bytes_max: int) -> None:
        self._folder = folder
        self._half = bytes_max // 2
        self._segment_max = max(bytes_max // 16, READ_BYTES)
        self._start = self._size = 0
        self._tail: list[tuple[int, int, int]] = []  # (start, size, text bytes) of closed segments after the first half
        self._segment_text = 0
        self._fd = -1
        self.text_bytes = 0
        self.dropped_bytes = 0
        self.unwritten_bytes = 0

    def append(self, at_ms: int, rank: int, stream: str, data: bytes, is_part: bool) -> None:
        """Write one record; on a full disk it is counted and dropped, the job goes on."""
        header = b"# %d %d %s %s %d\n" % (at_ms, rank, stream.encode(), b"p" if is_part else b"-", len(data))
        self.text_bytes += len(data)
        try:
            if self._fd < 0:
                self._open()
            elif self._size >= self._segment_max:
                self._turn()
            self._write(header, data)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            self.dropped_bytes += len(data)
            self.unwritten_bytes += len(data)

    def notice(self, at_ms: int, text: str) -> None:
        """Write a sentence of the engine's own."""
        self.append(at_ms, 0, "n", f"[eisbach: {text}]\n".encode("utf-8", "replace"), False)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        if self._start == 0:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / f"{self._start:0{SEGMENT_NAME_DIGITS}d}"
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def _write(self, header: bytes, data: bytes) -> None:
        length = len(header) + len(data)
        try:
            written = os.writev(self._fd, (header, data))
            if written < length:
                os.write(self._fd, (header + data)[written:])  # tells why the first write was short
        finally:
            end = os.fstat(self._fd).st_size
            if end != self._size + length:
                os.ftruncate(self._fd, self._size)  # no half record before the next one
        if end != self._size + length:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += length
        self._segment_text += len(data)

    def _turn(self) -> None:
        """Begin the next segment and let the oldest of the ring go."""
        self.close()
        if self._start >= self._half:
            self._tail.append((self._start, self._size, self._segment_text))
        self._start += self._size
        self._size = self._segment_text = 0
        self._open()
        while sum(size for _, size, _ in self._tail) + self._segment_max > self._half and self._tail:
            start, _, text = self._tail.pop(0)
            os.unlink(self._folder / f"{start:0{SEGMENT_NAME_DIGITS}d}")
            self.dropped_bytes += text


class StreamCapture:
    """Cuts one stream of one task into records of whole lines.

    A line goes out in parts when it is longer than PART_BYTES_MAX, or when `flush` finds it without its end: a
    progress bar that only returns to the beginning of its line is to be seen while it grows.
    """

    def __init__(self, book: LogBook, rank: int, stream: str) -> None:
        self._book = book
        self._rank = rank
        self._stream = stream
        self._rest = b""

    def add(self, data: bytes, at_ms: int) -> None:
        """Take bytes as they were read."""
        if self._rest:
            data = self._rest + data
        cut = data.rfind(b"\n") + 1
        if cut:
            self._book.append(at_ms, self._rank, self._stream, data[:cut], False)
            data = data[cut:]
        if len(data) >= PART_BYTES_MAX:
            whole = end_of_characters(data, len(data))
            self._book.append(at_ms, self._rank, self._stream, data[:whole], True)
            data = data[whole:]
        self._rest = data

    @property
    def has_rest(self) -> bool:
        """Return whether a line has begun and not ended."""
        return bool(self._rest)

    def flush(self, at_ms: int) -> None:
        """Write what there is of a line that has not ended."""
        whole = end_of_characters(self._rest, len(self._rest))
        if whole:
            self._book.append(at_ms, self._rank, self._stream, self._rest[:whole], True)
            self._rest = self._rest[whole:]

    def end(self, at_ms: int) -> None:
        """Write what is left without an end of line."""
        if self._rest:
            self._book.append(at_ms, self._rank, self._stream, self._rest, False)
            self._rest = b""


def end_of_characters(data: bytes, end: int) -> int:
    """Return `end` or up to three bytes less, so that no UTF-8 character is cut in two."""
    for back in range(1, min(4, end) + 1):
        byte = data[end - back]
        if byte & 0xC0 == 0x80:
            continue
        length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return end - back if length > back and end > back else end
    return end
