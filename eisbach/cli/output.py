"""What a command prints: a table for a person, or one versioned document for a program."""

import sys
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from eisbach.cli.simulated_sites import is_labelled, simulated_sites
from eisbach.cli.terminal import clean, say

if TYPE_CHECKING:
    from rich.table import Table

DOCUMENT_VERSION = 1
GAP = 2
CUT_TO = 8
"""Columns that may be cut keep at least this many cells."""


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
    """Print a document as it was asked for; `as_text(is_wide)` prints what a person reads.

    Where the factory has simulated sites, a document names them, and a text without a label of its own is given one.
    """
    sites = simulated_sites()
    if sites:
        doc = {**doc, "simulated_sites": list(sites)}
    if chosen is Format.JSON:
        import json

        print(json.dumps(doc, indent=2, ensure_ascii=not _is_utf8()))
    elif chosen is Format.YAML:
        import yaml

        sys.stdout.write(yaml.safe_dump(doc, sort_keys=False, allow_unicode=_is_utf8()))
    else:
        as_text(chosen is Format.WIDE)
        if sites and not is_labelled(doc):
            say(f"Simulated: {', '.join(map(clean, sites))}. Nothing is executed there.")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str = "") -> None:
    """Print rows under their column names; a name that starts with `>` is right-aligned, with `~` may be cut.

    Cells are cleaned here, so whatever a tenant wrote can stand in one. Only columns that may be cut are, and only on a
    terminal; where that is not enough, lines are longer than it is wide.
    """
    lines = [[clean(cell) for cell in row] for row in rows]
    if not lines and empty:
        print(empty)
        return
    from rich.cells import cell_len
    from rich.console import Console

    names = [column.lstrip(">~") for column in columns]
    widths = [max(cell_len(cell) for cell in cells) for cells in zip(names, *lines, strict=True)]
    if sys.stdout.isatty():
        _shrink(columns, widths, Console().width - GAP * (len(columns) - 1))
    console = Console(width=sum(widths) + GAP * len(columns), height=25)  # with both, rich never asks the terminal
    console.print(_table(columns, lines, widths))


def _shrink(columns: Sequence[str], widths: list[int], room: int) -> None:
    """Make columns that may be cut narrower, the widest first, until all fit or none is left to cut."""
    while sum(widths) > room:
        cuttable = [i for i, column in enumerate(columns) if column.startswith("~") and widths[i] > CUT_TO]
        if not cuttable:
            return
        widths[max(cuttable, key=lambda i: widths[i])] -= 1


def pairs(items: Iterable[tuple[str, str]]) -> None:
    """Print names and values, aligned, a line each; empty values are left out."""
    shown = [(name, clean(value, keep_newlines=True)) for name, value in items if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        first, *more = value.split("\n")
        print(f"{name:<{width}}  {first}")
        for line in more:
            print(f"{'':<{width}}  {line}")


def _table(columns: Sequence[str], lines: Sequence[Sequence[str]], widths: Sequence[int]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for column, width in zip(columns, widths, strict=True):
        justify: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        made.add_column(column.lstrip(">~"), justify=justify, no_wrap=True, overflow="ellipsis", width=width)
    for line in lines:
        made.add_row(*(Text(cell) for cell in line))
    return made


def _is_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
