"""A CSV of measurements as a stream of readings, in one pass and with memory that does not grow with the file.

What can be repaired without guessing is repaired and counted in `Repairs`; what cannot is refused with the line, the value and
what to do. Nothing is dropped silently. The SHA-256 of the file is computed on the way.
"""

import codecs
import csv
import hashlib
import io
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

from dialect import Dialect, Wishes, find_dialect
from instants import InstantReader
from numbers_in_text import number_in
from unreadable import Unreadable, shortened

HEAD_LINES = 2000
LINE_BYTES_MAX, BLOCK_BYTES = 65_536, 262_144
EXAMPLES_KEPT = 3
BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
FOREIGN_FILES = {
    b"PK": "a zip archive or an Excel workbook (.xlsx)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls)",
    b"\x1f\x8b": "a gzip file",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF",
}
DROPPED = ("bad_row", "bad_instant", "bad_number", "implausible", "out_of_order")
"""Lines that are left out; more than a small share of them means that the file was misunderstood."""


@dataclass
class Repairs:
    """What had to be mended, counted, with the first lines of each kind."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[dict[str, object]]] = field(default_factory=dict)

    def add(self, kind: str, line: int | None = None, value: str = "", times: int = 1) -> None:
        self.counts[kind] += times
        kept = self.examples.setdefault(kind, [])
        if line is not None and len(kept) < EXAMPLES_KEPT:
            kept.append({"line": line, "value": shortened(value)})

    @property
    def dropped(self) -> int:
        return sum(self.counts[kind] for kind in DROPPED)

    def document(self) -> list[dict[str, object]]:
        return [{"kind": kind, "count": count, "examples": self.examples.get(kind, [])} for kind, count in sorted(self.counts.items()) if count]


@dataclass(frozen=True)
class Limits:
    """What a value may be, and how many lines may be unusable before the file is refused."""

    minimum: float = 0.0
    maximum: float = 1e6
    dropped_share_max: float = 0.05
    dropped_free: int = 20
    """So many unusable lines are never a reason to refuse: short files have few lines to take a share of."""


class _Hashed(io.RawIOBase):
    """Passes a file's bytes on, and remembers their digest and number."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self.raw, self.digest, self.size = raw, hashlib.sha256(), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        count = self.raw.readinto(buffer) or 0
        self.digest.update(memoryview(buffer)[:count])
        self.size += count
        return count


class Readings:
    """Iterates over (UTC milliseconds, value or None, line number); read it once, and close it as a context."""

    def __init__(self, path: Path, zone: ZoneInfo, wishes: Wishes, limits: Limits) -> None:
        self.path, self.limits, self.repairs = path, limits, Repairs()
        self.rows = 0
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise Unreadable(f"{path} cannot be read: {error.strerror}", "Name a CSV file that is there") from error
        self._hashed = _Hashed(self._file)
        try:
            self._lines = self._decoded(io.BufferedReader(self._hashed, 1 << 20), wishes.encoding)
            head = list(islice(self._lines, HEAD_LINES))
            self.dialect: Dialect = find_dialect(head, wishes)
        except BaseException:
            self._file.close()
            raise
        self._instants = InstantReader(self.dialect.order, zone)
        self._body = chain(head[self.dialect.lines_before :], self._lines)
        titles = self.dialect.lines_before - self.dialect.has_header
        if titles:
            self.repairs.add("title_lines", times=titles)
        if not self.dialect.has_header:
            self.repairs.add("no_header")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def sha256(self) -> str:
        """Of the whole file, once it was read to its end."""
        return self._hashed.digest.hexdigest()

    @property
    def size(self) -> int:
        return self._hashed.size

    def __iter__(self) -> Iterator[tuple[int, float | None, int]]:
        table = csv.reader(self._body, delimiter=self.dialect.separator)
        try:
            yield from self._rows(table)
        except csv.Error as error:
            raise Unreadable(
                f"the table breaks off here ({error}); often a quotation mark that opens and never closes",
                "Look at the line and export again",
                self.dialect.lines_before + table.line_num,
            ) from error
        self._refuse_if_too_many()
        if self._instants.doubled_hours:
            self.repairs.add("doubled_hour", times=self._instants.doubled_hours)
        if not self.rows:
            raise Unreadable("the file has a header and no measurements", "Bring a CSV with at least some days of values")

    def _rows(self, table: "csv._reader") -> Iterator[tuple[int, float | None, int]]:
        """The loop that a large file spends its time in: what is written plainly is read here, all else in `_reading`."""
        before, width, time_index, value_index = self.dialect.lines_before, self.dialect.width, self.dialect.time_index, self.dialect.value_index
        is_plain, foreign, mark = self.dialect.clock_index is None, "." if self.dialect.decimal == "," else "_", self.dialect.decimal
        minimum, maximum, quickly = self.limits.minimum, self.limits.maximum, self._instants.read_quickly
        for cells in table:
            if len(cells) == width:
                self.rows += 1
                text = cells[value_index]
                if is_plain and foreign not in text and (at_ms := quickly(cells[time_index])) is not None:
                    try:
                        value = float(text.replace(mark, "."))
                    except ValueError:
                        value = math.nan
                    if minimum <= value <= maximum and "_" not in text:
                        yield at_ms, value, before + table.line_num
                        continue
                reading = self._reading(before + table.line_num, cells)
                if reading is not None:
                    yield reading
            elif any(cell.strip() for cell in cells):
                self.rows += 1
                self._drop("bad_row", before + table.line_num, self.dialect.separator.join(cells))

    def _reading(self, line: int, cells: list[str]) -> tuple[int, float | None, int] | None:
        dialect = self.dialect
        when = cells[dialect.time_index].strip()
        if dialect.clock_index is not None:
            when = f"{when} {cells[dialect.clock_index].strip()}"
        try:
            at = self._instants.read(when)
        except ValueError:
            return self._drop("bad_instant", line, when)
        except Unreadable as error:
            raise Unreadable(error.what, error.do, line, when) from None
        text = cells[dialect.value_index]
        try:
            value = number_in(text, dialect.decimal)
        except ValueError:
            return self._drop("bad_number", line, text)
        if value is None:
            self.repairs.add("missing_value", line, text)
        elif not self.limits.minimum <= value <= self.limits.maximum:
            return self._drop("implausible", line, text)
        return at, value, line

    def refuse_order(self, line: int, when: str) -> None:
        """Counts a line that is older than the one before it."""
        self._drop("out_of_order", line, when)

    def _drop(self, kind: str, line: int, value: str) -> None:
        self.repairs.add(kind, line, value)
        if self.rows >= HEAD_LINES:
            self._refuse_if_too_many()

    def _refuse_if_too_many(self) -> None:
        dropped, limits = self.repairs.dropped, self.limits
        is_little = dropped <= max(limits.dropped_free, limits.dropped_share_max * self.rows)
        if not dropped or (is_little and dropped < self.rows):
            return
        kind = max(DROPPED, key=lambda kind: self.repairs.counts[kind])
        example = self.repairs.examples[kind][0]
        what, do = REFUSED[kind]
        raise Unreadable(
            f"{what}; {dropped} of the first {self.rows} lines cannot be used",
            do.format(dialect=self.dialect, limits=limits),
            int(str(example["line"])),
            str(example["value"]),
        )

    def _decoded(self, stream: io.BufferedReader, wish: str | None) -> Iterator[str]:
        start = stream.peek(4096)[:65536]
        for magic, name in FOREIGN_FILES.items():
            if start.startswith(magic):
                raise Unreadable(f"{self.path.name} is {name}, not a CSV", "Export or unpack it as CSV and bring that")
        encoding, mark = next(((name, bom) for bom, name in BOMS if start.startswith(bom)), (wish or "utf-8", b""))
        stream.read(len(mark))
        if encoding.startswith("utf-16"):
            return self._wide(stream, encoding)
        if b"\0" in start:
            raise Unreadable(f"{self.path.name} is a binary file, not a CSV", "Export it as CSV and bring that")
        if not wish and not mark and not _is_utf8(start):
            encoding = "windows-1252"
            self.repairs.add("windows_1252")
        return self._narrow(stream, encoding)

    def _narrow(self, stream: io.BufferedReader, encoding: str) -> Iterator[str]:
        """Lines, decoded a block at a time; an error is told with its line."""
        done, rest = 0, b""
        while chunk := stream.read(BLOCK_BYTES):
            block = rest + chunk
            cut = block.rfind(b"\n") + 1
            rest = block[cut:]
            if len(rest) > LINE_BYTES_MAX:
                raise self._too_long(done + block.count(b"\n") + 1, rest)
            lines = _decode(block[:cut], encoding, done).split("\n")
            lines.pop()
            if lines and len(longest := max(lines, key=len)) > LINE_BYTES_MAX:
                raise self._too_long(done + lines.index(longest) + 1, longest.encode())
            done += len(lines)
            yield from lines
        if rest:
            yield _decode(rest, encoding, done)

    def _too_long(self, line: int, start: bytes) -> Unreadable:
        return Unreadable(f"the line is longer than {LINE_BYTES_MAX} bytes", "Export again with one measurement a line", line, repr(start[:40]))

    def _wide(self, stream: io.BufferedReader, encoding: str) -> Iterator[str]:
        self.repairs.add("utf_16")
        text = io.TextIOWrapper(stream, encoding, errors="replace", newline="")
        for number, line in enumerate(iter(partial(text.readline, LINE_BYTES_MAX), ""), 1):
            if len(line) == LINE_BYTES_MAX:
                raise Unreadable(f"the line is longer than {LINE_BYTES_MAX} characters", "Export again with one measurement a line", number)
            yield line


REFUSED = {
    "bad_row": ("this line has another number of columns", "The table has {dialect.width} columns; export again, or say --separator"),
    "bad_instant": ("this is no date and time", "Write instants as 2022-03-24T09:00:00+01:00 or 24.03.2022 09:00, all alike"),
    "bad_number": ("this is no number", "Decimal mark of this file is {dialect.decimal!r}; bring plain numbers without units, or say --decimal"),
    "implausible": ("this value is outside what is plausible", "Plausible is {limits.minimum:g} to {limits.maximum:g}; say --minimum and --maximum"),
    "out_of_order": ("this instant is older than the line before it", "Sort the lines by time, oldest first"),
}


def _decode(block: bytes, encoding: str, lines_before: int) -> str:
    try:
        return block.decode(encoding)
    except UnicodeDecodeError as error:
        line = lines_before + block.count(b"\n", 0, error.start) + 1
        wrong = repr(block[error.start : error.start + 8])
        raise Unreadable(f"the bytes are not {encoding}", "Say --encoding windows-1252, or export as UTF-8", line, wrong) from error
    except LookupError as error:
        raise Unreadable(f"there is no encoding {encoding!r}", "Say --encoding utf-8 or windows-1252") from error


def _is_utf8(start: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return True
