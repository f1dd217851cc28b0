"""Which sites of the factory that answered are simulated: whatever a command prints of it carries that label."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

_heard: list[str] = []
"""Of the command that runs now; a process runs one, and the tests one after the other."""


def heard_of(header: str) -> None:
    """Remember what an answer said of simulated sites: their names, separated by commas, or nothing."""
    _heard[:] = [unquote(name.strip()) for name in header.split(",") if name.strip()]


def simulated_sites() -> Sequence[str]:
    """Return what the last answer said."""
    return tuple(_heard)


def is_labelled(doc: Mapping[str, Any]) -> bool:
    """Return whether a document says by itself, and so the text for a person, that it or something in it is simulated."""
    return doc.get("label") == "simulated" or _names_any(doc)


def _names_any(value: object) -> bool:
    if isinstance(value, Mapping):
        return any((name == "simulated" and bool(one)) or _names_any(one) for name, one in value.items())
    return isinstance(value, list | tuple) and any(map(_names_any, value))
