"""What a command prints: a table for a person, or one versioned document for a program."""

import sys
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eisbach.cli.terminal import clean

if TYPE_CHECKING:
    from rich.table import Table

DOCUMENT_VERSION = 1
PIPED_WIDTH = 10_000
"""Columns where nobody looks: rows that a program reads are never wrapped or cut."""


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


Output = Annotated[Format, typer.Option("-o", "--format", help="How to print the result.")]


def document(what: str, **fields: object) -> dict[str, Any]:
    """Return a document: its format with version first, so that a program can refuse what it does not know."""
    return {"format": f"eisbach.{what}/{DOCUMENT_VERSION}", **fields}


def show(doc: dict[str, Any], chosen: Format, as_text: Callable[[bool], None]) -> None:
    """Print a document as it was asked for; `as_text(is_wide)` prints what a person reads."""
    if chosen is Format.JSON:
        import json

        print(json.dumps(doc, indent=2, ensure_ascii=not _is_utf8()))
    elif chosen is Format.YAML:
        import yaml

        sys.stdout.write(yaml.safe_dump(doc, sort_keys=False, allow_unicode=_is_utf8()))
    else:
        as_text(chosen is Format.WIDE)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str = "", title: str = "") -> None:
    """Print rows under their column names; a name that starts with `>` is right-aligned, with `~` may be cut.

    Cells are cleaned here, so whatever a tenant wrote can stand in one.
    """
    lines = [[clean(cell) for cell in row] for row in rows]
    if not lines and empty:
        print(empty)
        return
    _console().print(_table(columns, lines, title))


def pairs(items: Iterable[tuple[str, str]]) -> None:
    """Print names and values, aligned, a line each; empty values are left out."""
    shown = [(name, clean(value, keep_newlines=True)) for name, value in items if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        first, *more = value.split("\n")
        print(f"{name:<{width}}  {first}")
        for line in more:
            print(f"{'':<{width}}  {line}")


def _table(columns: Sequence[str], lines: Sequence[Sequence[str]], title: str) -> "Table":
    from rich.table import Table
    from rich.text import Text

    made = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", title=title or None, title_justify="left",
        title_style="bold",
    )  # fmt: skip
    for index, column in enumerate(columns):
        name = column.lstrip(">~")
        made.add_column(
            name,
            justify="right" if column.startswith(">") else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=None if column.startswith("~") else max([len(name), *(len(line[index]) for line in lines)]),
        )
    for line in lines:
        made.add_row(*(Text(cell) for cell in line))
    return made


def _console() -> Any:
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)


def _is_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
