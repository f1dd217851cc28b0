"""Recorded values of weather, water or demand: a CSV file with `instant,value` lines, refused by line where it is absurd."""

import csv
from datetime import datetime
from pathlib import Path

from eisbach.adapters.home_files import HomeFileError

LINES_MAX = 1_000_000


def read_recorded(path: Path, low: float, high: float, scale: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return ascending instants in milliseconds and their values times `scale`; raise HomeFileError with the line.

    Instants are RFC 3339 with their offset from UTC (`2026-07-01T13:00:00Z`); a first line of names is skipped. Lines without a
    value are holes: there the monthly mean speaks. Values outside the bounds are no measurement and refuse the file.
    """
    instants: list[int] = []
    values: list[int] = []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for number, line in enumerate(csv.reader(file), start=1):
                if number > LINES_MAX:
                    raise HomeFileError(f"{path}: more than {LINES_MAX:,} lines")
                if not line or (number == 1 and line[0].strip().lower() in ("instant", "time", "timestamp")):
                    continue
                if len(line) == 2 and not line[1].strip():
                    continue
                at_ms = _instant(path, number, line)
                if instants and at_ms <= instants[-1]:
                    raise HomeFileError(f"{path}:{number}: {line[0]} does not come after the line before it")
                instants.append(at_ms)
                values.append(round(_value(path, number, line, low, high) * scale))
    except (UnicodeDecodeError, csv.Error) as error:
        raise HomeFileError(f"{path} is no CSV file in UTF-8: {error}") from error
    except OSError as error:
        raise HomeFileError(f"{path} cannot be read: {error.strerror}") from error
    return tuple(instants), tuple(values)


def _instant(path: Path, number: int, line: list[str]) -> int:
    if len(line) != 2:
        raise HomeFileError(
            f"{path}:{number}: {len(line)} fields where `instant,value` are two; write a point as the decimal mark and a "
            "comma between the fields"
        )
    try:
        instant = datetime.fromisoformat(line[0].strip())
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise HomeFileError(f"{path}:{number}: {line[0]!r} is no instant with its offset, such as 2026-07-01T13:00:00Z")
    return int(instant.timestamp() * 1000)


def _value(path: Path, number: int, line: list[str], low: float, high: float) -> float:
    try:
        value = float(line[1])
    except ValueError:
        raise HomeFileError(f"{path}:{number}: {line[1]!r} is not a number") from None
    if not low <= value <= high:  # also what is not a number
        raise HomeFileError(f"{path}:{number}: {line[1]} is outside {low:g} to {high:g}: that is no measurement; leave it empty")
    return value
