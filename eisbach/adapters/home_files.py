"""Files of a home that the operator edits: TOML, read strictly, refused with the file and the key that is wrong."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eisbach.adapters.private_files import write_private

WRITTEN_AT_START = "; remove nothing else and start once more to have it written"
"""What to do where a file is missing that the first start wrote."""


class HomeFileError(Exception):
    """A file of the home cannot be used; the message says which, what is wrong in it, and what would be right."""


def read_toml(path: Path, *, if_missing: str = "") -> dict[str, Any]:
    """Return what a TOML file says; raise HomeFileError, which says `if_missing` too where there is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HomeFileError(f"{path} is missing{if_missing}") from None
    except RecursionError:
        raise HomeFileError(f"{path} is not valid TOML: it is nested too deeply; write it flat") from None
    except ValueError as error:  # of TOML, of UTF-8, or a number of thousands of digits
        raise HomeFileError(f"{path} is not valid TOML: {error}") from error
    except OSError as error:
        raise HomeFileError(f"{path} cannot be read: {error.strerror}") from error


def table_of(path: Path, value: object, name: str) -> Mapping[str, Any]:
    """Return a value that has to be a table."""
    if not isinstance(value, Mapping):
        raise HomeFileError(f"{path}: {name} is missing or is not a table")
    return value


def known_keys(path: Path, table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    """Refuse keys that nothing reads: a misspelt one would silently be without effect."""
    for key in table:
        if key not in known:
            raise HomeFileError(f"{path}: {where}{key!r} is not known; known are {', '.join(known)}")


def text_of(path: Path, table: Mapping[str, Any], key: str, where: str) -> str:
    """Return a text of 1 to 63 printable characters."""
    value = table.get(key)
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > 63:
        raise HomeFileError(f"{path}: {where} {key} is {value!r}, but must be a text of 1 to 63 printable characters")
    return value


def write_once(path: Path, text: str) -> None:
    """Write a first version of a file; one that is there is left alone."""
    if not path.exists():
        write_private(path, text)


def optional_text_of(path: Path, table: Mapping[str, Any], key: str, where: str) -> str:
    """Return a text of up to 63 printable characters, the empty one where the key is absent."""
    return text_of(path, table, key, where) if key in table else ""


def whole_number_of(path: Path, table: Mapping[str, Any], key: str, where: str, *, low: int, high: int) -> int:
    """Return a whole number between two bounds, both allowed."""
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise HomeFileError(f"{path}: {where} {key} is {value!r}, but must be a whole number from {low} to {high}")
    return value


def flag_of(path: Path, table: Mapping[str, Any], key: str, where: str) -> bool:
    """Return true or false, false where the key is absent."""
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise HomeFileError(f"{path}: {where} {key} is {value!r}, but must be true or false")
    return value
