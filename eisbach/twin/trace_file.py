"""Traces as files: job tables and week files, plain or gzip, read row by row; what is wrong is told by line and column.

A job table has the columns `job_id,user,submit_s,start_s,duration_s,gpus,cpus,state,kind`, a week file
`job_id,submit_s,nodes,duration_s,limit_s`; docs/twin.md says what each means. Rows come in the order of submission: a row may
stand up to LOOK_AHEAD rows behind its place, so that a file of ten million rows is never held in memory.
"""

import csv
import gzip
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import IO, Final, cast

import msgspec

from eisbach.core.vocabulary.quantities import DAY_MS, SECOND_MS
from eisbach.twin.distinct import Distinct
from eisbach.twin.wrong_input import WrongInput

JOB_TABLE: Final = ("job_id", "user", "submit_s", "start_s", "duration_s", "gpus", "cpus", "state", "kind")
WEEK_FILE: Final = ("job_id", "submit_s", "nodes", "duration_s", "limit_s")
JOB_TABLE_NEEDS: Final = ("job_id", "submit_s", "duration_s", "gpus")
LOOK_AHEAD: Final = 10_000
"""Rows that are held to put them in order of submission."""
KEPT_MAX: Final = 200_000
"""A file of up to so many rows is kept after it was checked; a longer one is read a second time."""
USERS_MAX: Final = 1_000
"""Users that are told apart; docs/twin.md says what becomes of the others."""
STAMP_MAX: Final = 100 * 365 * 86_400
"""Seconds since 1970 of the year 2070; files count from there, or from a beginning of their own."""
SPAN_DAYS_MAX: Final = 3_660
"""What the twin plays at most: the time between the first submission and the last, and how long a job runs."""
SPAN_MAX: Final = SPAN_DAYS_MAX * 86_400
LATE_BEGIN_MS: Final = 366 * DAY_MS
"""Where nothing is submitted for so long, the file counts from 1970 or another past: nobody wants the empty years played."""
UNITS_MAX: Final = 10_000_000
TEXT_MAX: Final = 200
DIGITS: Final = 16
"""Fewer digits are a whole number that is read without rounding."""
GZIP_MAGIC: Final = b"\x1f\x8b"
_SUBMITTED: Final = attrgetter("submit_ms")


class TraceError(WrongInput):
    """A trace cannot be replayed; the message says file, line, column, value, and what to do."""


class TraceRow(msgspec.Struct, frozen=True, gc=False):
    """A row: thousandths of GPUs in a job table, whole nodes in a week file (None: the other kind of file).

    `limit_ms` is None where the file has none. `line` is where it stands.
    """

    line: int
    job: str
    submit_ms: int
    duration_ms: int
    limit_ms: int | None = None
    nodes: int | None = None
    gpus_milli: int | None = None
    cpus_milli: int = 0
    user: str = ""
    kind: str = ""


class Trace(msgspec.Struct, frozen=True):
    """A trace that was read once and found sound.

    `left_out` counts rows without a duration or without GPUs: nobody knows what they would do. `begin_ms` is the instant of the
    file at which a replay begins: 0, or the day (UTC) of the first submission where that is LATE_BEGIN_MS or later.
    `users` are the first USERS_MAX distinct ones, in order of appearance. `kept` are all rows of a short file.
    """

    path: Path
    rows: int
    left_out: int
    begin_ms: int
    last_submit_ms: int
    users: tuple[str, ...]
    kept: tuple[TraceRow, ...] | None

    def __iter__(self) -> Iterator[TraceRow]:
        """Yield the rows in order of submission; equal instants in the order of the file."""
        return iter(self.kept) if self.kept is not None else _in_order(self.path, _complete(_read(self.path)))


def read_trace(path: Path, check: Callable[[TraceRow], str] = lambda row: "") -> Trace:
    """Read a trace once from end to end and return it; raise TraceError.

    `check` returns what else is wrong with a row, in words that follow `FILE:LINE: `, or nothing.
    """
    seen = Distinct()
    users: dict[str, None] = {}
    kept: list[TraceRow] = []
    left_out = last_ms = 0
    first_ms: int | None = None

    def checked() -> Iterator[TraceRow]:
        nonlocal left_out
        for row in _read(path):
            if row is None:
                left_out += 1
                continue
            if not seen.add(row.job):
                raise _wrong(path, row.line, "job_id", row.job, "stands in an earlier row too", "Give each job an id of its own")
            if wrong := check(row):
                raise TraceError(f"{path}:{row.line}: {wrong}")
            yield row

    for row in _in_order(path, checked()):
        last_ms = row.submit_ms
        first_ms = last_ms if first_ms is None else first_ms
        if last_ms - first_ms > SPAN_MAX * SECOND_MS:
            what = f"lies more than {SPAN_DAYS_MAX:,} days behind the first submission ({first_ms / SECOND_MS:.15g})"
            raise _wrong(path, row.line, "submit_s", f"{last_ms / SECOND_MS:.15g}", what, "Give all rows the same beginning, or cut the row out")
        if len(users) < USERS_MAX:
            users[row.user] = None
        if len(seen) <= KEPT_MAX:
            kept.append(row)
        elif kept:
            kept.clear()
    if first_ms is None:
        what = f"all of its {left_out} rows lack duration_s or gpus" if left_out else "it holds no job"
        raise TraceError(f"{path}: {what}. Give a file with at least one complete row")
    rows = tuple(kept) if len(seen) <= KEPT_MAX else None
    begin_ms = first_ms - first_ms % DAY_MS if first_ms >= LATE_BEGIN_MS else 0
    return Trace(path, len(seen), left_out, begin_ms, last_ms, tuple(users), rows)


def _complete(rows: Iterator[TraceRow | None]) -> Iterator[TraceRow]:
    for row in rows:
        if row is not None:
            yield row


def _in_order(path: Path, rows: Iterator[TraceRow]) -> Iterator[TraceRow]:
    """Yield rows by submission, equal instants in the order of the file; refuse one that stands LOOK_AHEAD rows too late."""
    ahead: list[TraceRow] = []
    last_ms = 0
    for row in rows:
        ahead.append(row)
        if len(ahead) < 2 * LOOK_AHEAD:
            continue
        ahead.sort(key=_SUBMITTED)
        _check_order(path, ahead[0], last_ms)
        yield from ahead[:LOOK_AHEAD]
        last_ms = ahead[LOOK_AHEAD - 1].submit_ms
        del ahead[:LOOK_AHEAD]
    ahead.sort(key=_SUBMITTED)
    if ahead:
        _check_order(path, ahead[0], last_ms)
    yield from ahead


def _check_order(path: Path, row: TraceRow, last_ms: int) -> None:
    if row.submit_ms < last_ms:
        raise _wrong(
            path, row.line, "submit_s", f"{row.submit_ms / SECOND_MS:g}",
            f"stands more than {LOOK_AHEAD:,} rows behind its place: {last_ms / SECOND_MS:g} was submitted already",
            "Sort the file by submit_s",
        )  # fmt: skip


def _read(path: Path) -> Iterator[TraceRow | None]:
    """Yield the rows as they stand in the file, None for one that lacks what a replay needs; raise TraceError."""
    line = 1
    try:
        with _opened(path) as file:
            reader = csv.reader(file)
            columns = next(reader, None)
            if columns is None:
                raise TraceError(f"{path}: the file is empty. Its first line names the columns: {','.join(JOB_TABLE)} or {','.join(WEEK_FILE)}")
            row, read = _Row(path, _places(path, columns)), _week_row if "nodes" in columns else _table_row
            for fields in reader:
                line = reader.line_num
                if not fields:
                    continue
                if len(fields) != len(columns):
                    raise TraceError(f"{path}:{line}: this row has {len(fields)} fields, the first line names {len(columns)} columns. Complete the row, or cut it out")
                row.line, row.fields = line, fields
                yield read(row)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TraceError(f"{path}:{line}: the gzip file breaks off behind this line or is damaged ({error}). Fetch or write it once more") from error
    except UnicodeDecodeError as error:
        raise TraceError(f"{path}: behind line {line} is text that is not UTF-8. Write the file as UTF-8") from error
    except csv.Error as error:
        raise TraceError(f"{path}:{line + 1}: this is no line of a CSV file: {error}") from error
    except OSError as error:
        raise TraceError(f"{path} cannot be read: {error.strerror or error}. Give the path of a trace") from error


def _opened(path: Path) -> IO[str]:
    with path.open("rb") as file:
        is_gzip = file.read(2) == GZIP_MAGIC
    if not path.is_file():
        raise TraceError(f"{path} is no file, and a trace is read twice. Write it to a file first")
    if is_gzip:
        return cast(IO[str], gzip.open(path, "rt", encoding="utf-8-sig", newline=""))
    return path.open(encoding="utf-8-sig", newline="")


def _places(path: Path, columns: list[str]) -> dict[str, int]:
    missing = [name for name in (WEEK_FILE if "nodes" in columns else JOB_TABLE_NEEDS) if name not in columns]
    if missing:
        hint = "Its columns are separated by commas" if len(columns) == 1 else "A job table needs gpus, a week file nodes"
        raise TraceError(
            f"{path}:1: the column {missing[0]} is missing; there are {', '.join(columns[:20])}. {hint}; "
            f"the whole lists are {','.join(JOB_TABLE)} and {','.join(WEEK_FILE)}"
        )
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise TraceError(f"{path}:1: two columns are named {twice!r}. Name each once")
    return {name: index for index, name in enumerate(columns)}


class _Row:
    """The fields of one line, read by the name of their column; one object for all lines of a file."""

    __slots__ = ("_at", "fields", "line", "path")

    def __init__(self, path: Path, at: Mapping[str, int]) -> None:
        self.path, self._at = path, at
        self.line, self.fields = 1, list[str]()

    def text(self, column: str) -> str:
        """Return a text, empty where the column is absent."""
        index = self._at.get(column)
        return "" if index is None else self.fields[index]

    def name(self) -> str:
        """Return the job's id."""
        name = self.text("job_id")
        if not name or len(name) > TEXT_MAX or not name.isprintable():
            raise self.wrong("job_id", "is no id", f"Give each job a printable id of 1 to {TEXT_MAX} characters")
        return name

    def thousandths(self, column: str, low: int, high: int) -> int | None:
        """Return thousandths of a number between two bounds, both allowed; None where the field is empty."""
        index = self._at.get(column)
        text = self.fields[index] if index is not None else ""
        if text.isdecimal() and len(text) < DIGITS and low <= (whole := int(text)) <= high:
            return whole * 1000
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            raise self.wrong(column, "is no number", f"Write a number from {low} to {high:,}, or leave it empty") from None
        if not low <= value <= high:  # NaN is between nothing
            what = "is negative" if value < low else "is no finite number" if not math.isfinite(value) else "is absurdly large"
            raise self.wrong(column, what, f"Write a number from {low} to {high:,}, or leave it empty")
        return round(value * 1000)

    def needed(self, column: str, high: int) -> int:
        """Return thousandths of a number that may not be missing."""
        value = self.thousandths(column, 0, high)
        if value is None:
            raise self.wrong(column, "is empty", "Every row needs one")
        return value

    def wrong(self, column: str, what: str, do: str) -> TraceError:
        """Return the error about a field."""
        return _wrong(self.path, self.line, column, self.text(column), what, do)


def _table_row(row: _Row) -> TraceRow | None:
    job, submit_ms = row.name(), row.needed("submit_s", STAMP_MAX)
    duration_ms, gpus_milli = row.thousandths("duration_s", 0, SPAN_MAX), row.thousandths("gpus", 0, UNITS_MAX)
    cpus_milli = row.thousandths("cpus", 0, UNITS_MAX) or 0
    if duration_ms is None or gpus_milli is None:
        return None
    user, kind = row.text("user"), row.text("kind")
    return TraceRow(
        row.line, job, submit_ms, duration_ms, gpus_milli=gpus_milli, cpus_milli=cpus_milli, user=user[:TEXT_MAX], kind=kind[:TEXT_MAX]
    )


def _week_row(row: _Row) -> TraceRow | None:
    job, submit_ms = row.name(), row.needed("submit_s", STAMP_MAX)
    nodes = row.needed("nodes", UNITS_MAX)
    duration_ms = row.thousandths("duration_s", 0, SPAN_MAX)
    limit_ms = row.thousandths("limit_s", 0, SPAN_MAX)
    if nodes < 1000 or nodes % 1000:
        raise row.wrong("nodes", "is no whole number of nodes", "Write 1 or more")
    if limit_ms == 0:
        raise row.wrong("limit_s", "is no limit", "Write the seconds after which the job is stopped, or leave it empty")
    if duration_ms is None:
        return None
    return TraceRow(row.line, job, submit_ms, duration_ms, limit_ms=limit_ms, nodes=nodes // 1000)


def _wrong(path: Path, line: int, column: str, value: str, what: str, do: str) -> TraceError:
    return TraceError(f"{path}:{line}: {column} is {value[:60]!r}, which {what}. {do}")
