"""Reads the segment files of a log while they grow, without the agent; says visibly what was dropped."""

import os
from collections.abc import Iterator
from pathlib import Path

from eisbach.engines.local.logbook import PART_BYTES_MAX, end_of_characters
from eisbach.ports.engine import LogLine

_WITHIN_BITS = 17
"""An offset is (logical offset of the record) * 2^17 + (byte within its data, which is below 2^17)."""
_TEXT_BYTES_MAX = 4 * 1024 * 1024
_HEADER_BYTES_MAX = 100
NOTICE_STREAM = "notice"
_STREAMS = {b"o": "stdout", b"e": "stderr", b"n": NOTICE_STREAM}


class _Page:
    """Lines collected for one answer."""

    def __init__(self, lines_max: int) -> None:
        self.lines: list[LogLine] = []
        self._lines_left = lines_max
        self._bytes_left = _TEXT_BYTES_MAX

    @property
    def is_full(self) -> bool:
        return self._lines_left <= 0 or self._bytes_left <= 0

    def add(self, line: LogLine, size: int) -> None:
        self.lines.append(line)
        self._lines_left -= 1
        self._bytes_left -= size


def read_lines(folder: Path, offset: int, lines_max: int) -> tuple[list[LogLine], int]:
    """Return lines from `offset` on and the offset to go on from."""
    page = _Page(lines_max)
    position, within = offset >> _WITHIN_BITS, offset & ((1 << _WITHIN_BITS) - 1)
    while not page.is_full:
        starts = _segments(folder)
        index = max((i for i, start in enumerate(starts) if start <= position), default=-1)
        if index >= 0:
            try:
                position, within = _read_segment(folder, starts[index], position, within, page)
            except FileNotFoundError:
                continue  # the ring turned between the two looks
        if page.is_full or index + 1 >= len(starts):
            break
        following = starts[index + 1]
        if following > position:
            page.add(_notice(position, following - position), 0)
            position, within = following, 0
        elif index >= 0 and position < following:  # pragma: no cover - cannot be: a segment ends where the next begins
            break
    return page.lines, (position << _WITHIN_BITS) | within


def deleted_log(offset: int) -> tuple[list[LogLine], int]:
    """Return what is read from a log whose time of keeping is over: one notice, once, and the offset behind it."""
    text = "[eisbach: the log of this attempt was deleted, logs are kept for a time after the end of their job]"
    return ([LogLine(0, 0, 0, NOTICE_STREAM, text)], 1) if offset == 0 else ([], offset)


def _segments(folder: Path) -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir(folder) if name.isdecimal())
    except FileNotFoundError:
        return []


def _notice(position: int, dropped: int) -> LogLine:
    text = f"[eisbach: about {dropped:,} bytes of log were dropped here, the log of an attempt is bounded]"
    return LogLine(position << _WITHIN_BITS, 0, 0, NOTICE_STREAM, text)


def _read_segment(folder: Path, start: int, position: int, within: int, page: _Page) -> tuple[int, int]:
    """Add lines of one segment; return where it stopped: at a full page, the end, or a record not yet whole."""
    fd = os.open(folder / f"{start:016d}", os.O_RDONLY)
    try:
        while not page.is_full:
            head = os.pread(fd, _HEADER_BYTES_MAX, position - start)
            line, end, _ = head.partition(b"\n")
            fields = line.split()
            if not end or len(fields) != 6 or fields[0] != b"#":
                break
            length = int(fields[5])
            data_at = position - start + len(line) + 1
            data = os.pread(fd, length, data_at)
            if len(data) < length:
                break
            stopped = _add_lines(page, position, within, fields, data)
            if stopped is not None:
                return position, stopped
            position += len(line) + 1 + length
            within = 0
    finally:
        os.close(fd)
    return position, within


def _add_lines(page: _Page, position: int, within: int, fields: list[bytes], data: bytes) -> int | None:
    """Add the lines of a record from byte `within`; return the byte where a full page stopped it, None at its end."""
    at_ms, rank, stream, ends_in_part = int(fields[1]), int(fields[2]), _STREAMS[fields[3]], fields[4] == b"p"
    for begin, end, following, is_part in _pieces(data, within, ends_in_part):
        if page.is_full:
            return begin
        text = data[begin:end].decode("utf-8", "replace")
        page.add(LogLine((position << _WITHIN_BITS) | begin, at_ms, rank, stream, text, is_part), following - begin)
    return None


def _pieces(data: bytes, begin: int, ends_in_part: bool) -> Iterator[tuple[int, int, int, bool]]:
    """Yield (begin, end, begin of the next, is_part) of each line or part of a long line."""
    while begin < len(data):
        end = data.find(b"\n", begin)
        following = end + 1
        if end < 0:
            end = following = len(data)
        if end - begin > PART_BYTES_MAX:
            cut = end_of_characters(data, begin + PART_BYTES_MAX)
            yield begin, cut, cut, True
            begin = cut
            continue
        yield begin, end, following, ends_in_part and end == len(data)
        begin = following
