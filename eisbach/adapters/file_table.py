"""Tables of a TOML file, read key by key: what is wrong is noted and reading goes on, so that one look finds all of it."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from eisbach.adapters.home_files import HomeFileError, flag_of, text_of, whole_number_of
from eisbach.adapters.recorded_series import read_recorded
from eisbach.core.power.series import Series
from eisbach.core.vocabulary.names import NAME_RULE, is_name

Read = TypeVar("Read")
NAMELESS = "?"
"""Stands in for a text that could not be read."""


class Mistakes:
    """What is wrong in a file, in the order in which it was found; each line names the file, the key and the value."""

    __slots__ = ("found", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[str] = []

    def note(self, what: str) -> None:
        """Note a mistake."""
        self.found.append(f"{self.path}: {what}")

    def noting(self, read: Callable[[], Read], stand_in: Read) -> Read:
        """Return what is read, or what stands in for it where that was refused; the refusal is noted."""
        try:
            return read()
        except HomeFileError as error:
            self.found.append(str(error))
            return stand_in


class FileTable:
    """One table, read with its name in every mistake. What could not be read is stood in for by something harmless."""

    __slots__ = ("mistakes", "said", "where")

    def __init__(self, mistakes: Mistakes, said: object, where: str) -> None:
        self.mistakes, self.where = mistakes, where
        self.said: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
        if not isinstance(said, Mapping):
            mistakes.note(f"{where} is missing or is not a table")

    def __contains__(self, key: str) -> bool:
        return key in self.said

    def wrong(self, what: str) -> None:
        """Note a mistake in this table."""
        self.mistakes.note(f"{self.where} {what}")

    def known(self, keys: Sequence[str]) -> None:
        """Note every key that nothing reads: a misspelt one would silently be without effect."""
        for key in self.said:
            if key not in keys:
                near = get_close_matches(key, keys, 1)
                self.wrong(f"{key!r} is not known; {f'did you mean {near[0]!r}? Known' if near else 'known'} are {', '.join(keys)}")

    def table(self, key: str, where: str) -> "FileTable":
        """Return a table within this one."""
        return FileTable(self.mistakes, self.said.get(key), where)

    def text(self, key: str) -> str:
        """Return a text of 1 to 63 printable characters."""
        return self.mistakes.noting(lambda: text_of(self.mistakes.path, self.said, key, self.where), NAMELESS)

    def optional_text(self, key: str) -> str:
        """Return a text of up to 63 printable characters, the empty one where the key is absent."""
        return self.text(key) if key in self.said else ""

    def name(self, key: str) -> str:
        """Return a name (core/vocabulary/names.py)."""
        value = self.said.get(key)
        if is_name(value):
            return str(value)
        self.wrong(f"{key} is {value!r}, but must be {NAME_RULE}")
        return NAMELESS

    def optional_name(self, key: str) -> str:
        """Return a name, the empty text where the key is absent."""
        return self.name(key) if key in self.said else ""

    def whole_number(self, key: str, low: int, high: int, *, default: int | None = None) -> int:
        """Return a whole number between two bounds, both allowed."""
        said = self.said if default is None else {key: default, **self.said}
        return self.mistakes.noting(
            lambda: whole_number_of(self.mistakes.path, said, key, self.where, low=low, high=high), low
        )

    def flag(self, key: str) -> bool:
        """Return true or false, false where the key is absent."""
        return self.mistakes.noting(lambda: flag_of(self.mistakes.path, self.said, key, self.where), False)

    def number(self, key: str, low: float, high: float, scale: int, *, default: float | None = None) -> int:
        """Return a number between two bounds, counted in units of 1/scale."""
        value = self.said.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.wrong(f"{key} is {value!r}, but must be a number from {low:g} to {high:g}")
            return round(low * scale)
        return round(value * scale)

    def series(
        self, what: str, monthly: str, hourly: str, low: float, high: float, scale: int, *, default: float | None = None
    ) -> Series:
        """Return monthly means (twelve numbers, or one for all), a shape of the day, and recorded values of a CSV file."""
        means = self._numbers(monthly, 12, low, high, scale, default)
        shape = self._numbers(hourly, 24, -high, high, scale, 0) if hourly in self.said else (0,) * 24
        instants, values = self._recorded(f"{what}_csv", low, high, scale)
        return Series(monthly=means, hourly=shape, recorded_ms=instants, recorded=values)

    def _numbers(
        self, key: str, count: int, low: float, high: float, scale: int, default: float | None
    ) -> tuple[int, ...]:
        value = self.said.get(key, default)
        values = value if isinstance(value, list) else [value] * count
        is_right = len(values) == count and all(
            isinstance(one, int | float) and not isinstance(one, bool) and low <= one <= high for one in values
        )
        if not is_right:
            self.wrong(f"{key} is {value!r}, but must be one number or {count} of them, each from {low:g} to {high:g}")
            return (round(low * scale),) * count
        return tuple(round(one * scale) for one in values)

    def _recorded(self, key: str, low: float, high: float, scale: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if key not in self.said:
            return (), ()
        name = self.said[key]
        if not isinstance(name, str) or not name:
            self.wrong(f"{key} is {name!r}, but must be the path of a CSV file")
            return (), ()
        nothing: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        return self.mistakes.noting(lambda: read_recorded(self.mistakes.path.parent / name, low, high, scale), nothing)
