"""What is wrong with a task file, collected to be told at once, in words that never repeat a secret."""

from collections.abc import Mapping
from types import MappingProxyType

from eisbach.core.vocabulary.reasons import Reason, Refusal

REFUSALS_MAX = 100
"""More would only be noise, and the work that one request can cause stays bounded."""

_SHOWN_MAX = 40


class Findings:
    """The refusals found so far, each once, in the order found."""

    __slots__ = ("refusals",)

    def __init__(self) -> None:
        self.refusals: list[Refusal] = []

    @property
    def is_full(self) -> bool:
        """Return whether further refusals would be dropped."""
        return len(self.refusals) >= REFUSALS_MAX

    def refuse(self, reason: Reason, where: str, what: str, do: str = "", **values: object) -> None:
        """Add a refusal unless it was found before."""
        refusal = Refusal(reason, what, do, where, MappingProxyType(values))
        if not self.is_full and refusal not in self.refusals:
            self.refusals.append(refusal)

    def wrong(self, where: str, value: object, must: str, do: str = "") -> None:
        """Say that a field's value is not what it must be: `where` is VALUE, but must be MUST."""
        what = f"`{where}` is {shown(value)}, but must be {must}"
        self.refuse(Reason.INVALID_TASK, where, what, do, key=where, given=shown(value), must=must)

    def invalid(self, where: str, what: str, do: str = "") -> None:
        """Say in words of its own why a field is wrong; for values that must not be repeated."""
        self.refuse(Reason.INVALID_TASK, where, what, do)


def shown(value: object) -> str:
    """Return a value as a message shows it: short, printable, containers only by their kind."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"the boolean {'true' if value else 'false'}"
    if isinstance(value, str):
        return repr(value) if len(value) <= _SHOWN_MAX else f"{value[:_SHOWN_MAX]!r}... ({len(value)} characters)"
    if isinstance(value, int):
        # Python refuses to write integers of thousands of digits
        return str(value) if abs(value) < 10**30 else "an integer of more than 30 digits"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple | set | frozenset):
        return "a list" if value else "an empty list"
    return f"a value of the kind {type(value).__name__}"


def is_text(value: str) -> bool:
    """Return whether a text can be written as UTF-8 and has no NUL byte, which no environment or shell can carry."""
    if value.isascii():
        return "\0" not in value
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def byte_length(value: str) -> int:
    """Return the length in UTF-8 of what `is_text`."""
    return len(value) if value.isascii() else len(value.encode("utf-8", "replace"))
