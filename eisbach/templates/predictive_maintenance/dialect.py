"""How a table of measurements is written: separator, header, which column is what, decimal mark, order of dates."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from instants import TIME_ONLY, looks_like_instant, order_of
from numbers_in_text import MISSING, decimal_mark_of, looks_like_number
from unreadable import Unreadable, shortened

SEPARATORS = ("\t", ";", ",")
"""In this order: a comma may also be decimal, a semicolon or a tab may not."""
NAMES = {"\t": "tab", ";": "semicolon", ",": "comma"}
ALIKE = 0.9
"""This share of the first lines has to agree on how the table is written."""


@dataclass(frozen=True)
class Wishes:
    """What the person said about the file; None is found out."""

    separator: str | None = None
    decimal: str | None = None
    dates: str | None = None
    time_column: str | None = None
    value_column: str | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class Dialect:
    separator: str
    width: int
    decimal: str
    order: str
    time_index: int
    clock_index: int | None
    """The column of the time of day where date and time stand apart."""
    value_index: int
    value_name: str
    lines_before: int
    """Lines above the first line of measurements: titles and the header."""
    has_header: bool


def find_dialect(lines: Sequence[str], wishes: Wishes) -> Dialect:
    """The dialect that fits the first lines of a file; Unreadable where two would, or none."""
    rows = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise Unreadable("the file is empty", "Bring a CSV with a column of instants and a column of values")
    separator = wishes.separator or _separator_of(rows)
    table = [(number, [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]) for number, line in rows]
    width = Counter(len(cells) for _, cells in table).most_common(1)[0][0]
    body_start = next((place for place, (_, cells) in enumerate(table) if len(cells) == width and _time_place(cells) is not None), None)
    if body_start is None:
        raise Unreadable("no column with date and time was found", "Write instants as 2022-03-24T09:00:00+01:00 or 24.03.2022 09:00", table[0][0], rows[0][1])
    header = table[body_start - 1][1] if body_start and len(table[body_start - 1][1]) == width else None
    if header is None and body_start and separator == "," and len(table[body_start - 1][1]) == width - 1:
        raise Unreadable(
            f"the header has {width - 1} columns and the lines below have {width}: decimal commas in a file separated by commas",
            "Export again with semicolons, or with values in quotes",
            table[body_start][0],
            rows[body_start][1],
        )
    body = [(number, cells) for number, cells in table[body_start:] if len(cells) == width]
    names = header or [f"column {number}" for number in range(1, width + 1)]
    time_index, clock_index = _time_columns(names, body, wishes.time_column)
    value_index = _value_column(names, body, {time_index, clock_index}, wishes.value_column)
    texts = [cells[time_index] for _, cells in body if looks_like_instant(cells[time_index])]
    values = [cells[value_index] for _, cells in body if cells[value_index].lower() not in MISSING]
    return Dialect(
        separator=separator,
        width=width,
        decimal=wishes.decimal or decimal_mark_of([cell for cell in values if looks_like_number(cell)], separator),
        order=order_of(texts, wishes.dates),
        time_index=time_index,
        clock_index=clock_index,
        value_index=value_index,
        value_name=names[value_index],
        lines_before=body[0][0] - 1,
        has_header=header is not None,
    )


def _separator_of(rows: list[tuple[int, str]]) -> str:
    shares = {separator: _share_alike(rows, separator) for separator in SEPARATORS}
    for separator in SEPARATORS:
        if shares[separator] >= ALIKE:
            return separator
    number, line = rows[min(1, len(rows) - 1)]
    used = [separator for separator in SEPARATORS if shares[separator] > 0]
    if len(used) == 1:
        raise Unreadable(
            f"split at each {NAMES[used[0]]}, lines differ in their number of columns ({shares[used[0]]:.0%} agree)",
            "Export again with one separator and all columns in each line",
            number,
            line.strip(),
        )
    if used:
        said = ", ".join(f"{shares[separator]:.0%} of the first lines by {NAMES[separator]}" for separator in used)
        raise Unreadable(f"separators are mixed: {said}", "Export again with one separator, or say --separator", number, line.strip())
    for separator in SEPARATORS:
        if any(separator in text for _, text in rows):
            return separator
    raise Unreadable("the line has one column only: there is no comma, semicolon or tab", "Export as CSV with one of them", number, line.strip())


def _share_alike(rows: list[tuple[int, str]], separator: str) -> float:
    """How many lines from the first measurement on have the usual number of columns; 0 where no line has a column of instants."""
    table = [next(csv.reader([line], delimiter=separator), []) for _, line in rows]
    first = next((place for place, cells in enumerate(table) if len(cells) > 1 and _time_place([cell.strip() for cell in cells]) is not None), None)
    if first is None:
        return 0.0
    counts = Counter(len(cells) for cells in table[first:])
    return max(count for width, count in counts.items() if width > 1) / sum(counts.values())


def _time_place(cells: list[str]) -> int | None:
    return next((place for place, cell in enumerate(cells) if looks_like_instant(cell)), None)


def _time_columns(names: list[str], body: list[tuple[int, list[str]]], wish: str | None) -> tuple[int, int | None]:
    """The column of the instants, and that of the time of day where it stands apart."""
    if wish is not None:
        time_index = _place_of(wish, names)
    else:
        found = Counter(place for _, cells in body if (place := _time_place(cells)) is not None)
        time_index = found.most_common(1)[0][0]
    after = time_index + 1
    holds_no_time = all(":" not in cells[time_index] for _, cells in body)
    is_clock = after < len(names) and sum(bool(TIME_ONLY.fullmatch(cells[after])) for _, cells in body) >= ALIKE * len(body)
    return time_index, after if holds_no_time and is_clock else None


def _value_column(names: list[str], body: list[tuple[int, list[str]]], taken: set[int | None], wish: str | None) -> int:
    if wish is not None:
        return _place_of(wish, names)

    def share(place: int) -> float:
        return sum(looks_like_number(cells[place]) and cells[place].lower() not in MISSING for _, cells in body) / len(body)

    fitting = [place for place in range(len(names)) if place not in taken and share(place) >= 0.5]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        number, cells = body[0]
        raise Unreadable("no column with numbers was found", "Bring plain numbers without units in one column", number, " | ".join(cells))
    listed = ", ".join(repr(shortened(names[place], 40)) for place in fitting)
    raise Unreadable(f"several columns hold numbers: {listed}", "Say which one to watch: --value-column NAME")


def _place_of(name: str, names: list[str]) -> int:
    if name in names:
        return names.index(name)
    raise Unreadable(f"there is no column {name!r}", f"There are: {', '.join(repr(shortened(one, 40)) for one in names)}")
