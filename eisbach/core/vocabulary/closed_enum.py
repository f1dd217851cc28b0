"""An enum for words that are looked up at every step."""

from enum import Enum


class ClosedEnum(Enum):
    """A member equals itself alone, so its identity is its hash; Enum would hash its name, by a call in Python each time."""

    __hash__ = object.__hash__
