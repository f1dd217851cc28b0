"""Numbers as spreadsheets write them: decimal points or commas, thousands marks, and cells that hold none."""

import math
import re
from collections.abc import Iterable

from unreadable import Unreadable

MISSING = {"", "-", "--", "?", "nan", "na", "n/a", "#n/a", "#nv", "null", "none"}
"""What stands in a cell without a value, in small letters; `#NV` is what a German spreadsheet writes."""
ONE_GROUP = re.compile(r"[+-]?[1-9]\d{0,2}([.,])\d{3}")
GROUPED = {
    ".": re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+\.\d+|[+-]?[1-9]\d{0,2}(?:,\d{3}){2,}"),
    ",": re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+,\d+|[+-]?[1-9]\d{0,2}(?:\.\d{3}){2,}"),
}
"""Thousands marks are taken where nothing else can be meant: with a decimal mark after them, or two of them."""
ANY_NUMBER = re.compile(r"[+-]?[\d.,'\u00a0\u202f ]*\d[\d.,]*(?:[eE][+-]?\d+)?")


def looks_like_number(text: str) -> bool:
    return bool(ANY_NUMBER.fullmatch(text)) or text.lower() in MISSING


def decimal_mark_of(cells: Iterable[str], separator: str) -> str:
    """`.` or `,` for all numbers of a file, from its first ones.

    A mark that is not followed by exactly three digits is decimal, and so is the last of two different marks. In a file separated by
    commas a point is decimal. Where every number looks like 1.234 or 1,234 it is refused: that may be a thousand or one and a bit.
    """
    signs: dict[str, str] = {}
    unclear = ""
    for cell in cells:
        marks = [character for character in cell if character in ".,"]
        if not marks:
            continue
        last = marks[-1]
        if len(set(marks)) == 2 or (len(marks) == 1 and not ONE_GROUP.fullmatch(cell)):
            signs.setdefault(last, cell)
        elif len(marks) > 1:
            signs.setdefault("." if last == "," else ",", cell)
        else:
            unclear = unclear or cell
    if len(signs) == 2:
        raise Unreadable(
            f"decimal marks are mixed: {signs['.']!r} and {signs[',']!r}", "Export again with one kind, or say --decimal , or --decimal ."
        )
    if signs:
        return next(iter(signs))
    if unclear and separator != ",":
        raise Unreadable(f"{unclear!r} may be a thousand or a number with three decimals, and no value tells which", "Say --decimal , or --decimal .")
    return "."


def number_in(text: str, decimal: str) -> float | None:
    """The number in a cell, None for a cell that says there is none; ValueError for anything else."""
    if decimal == "," and ("," in text or "." in text):
        if "." in text:
            if not GROUPED[","].fullmatch(text):
                raise ValueError("a point in a file with decimal commas")
            text = text.replace(".", "")
        text = text.replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        return _unusual(text.strip(), decimal)
    if value - value == 0 and "_" not in text:
        return value
    if math.isnan(value):
        return None
    raise ValueError("no finite number")


def _unusual(text: str, decimal: str) -> float | None:
    if text.lower() in MISSING:
        return None
    plain = text.replace("'", "").replace("\u00a0", "").replace("\u202f", "")
    if plain != text and "," not in plain:
        return float(plain)
    if decimal == "." and GROUPED["."].fullmatch(text):
        return float(text.replace(",", ""))
    raise ValueError("no number")
