"""What the application needs from meters: counters of energy, each for a part of a site."""

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

import msgspec

from eisbach.core.metering.counter import Counted


class Part(Enum):
    """What of a site's racks a counter counts; what no counter counts is modelled."""

    HOSTS = "hosts"
    ACCELERATORS = "accelerators"


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A counter as it stands now. What it counts draws at most `most_mw`.

    Whoever reads it has watched it wrap since `watched_since_ms`: readings since then are unwrapped.
    """

    name: str
    part: Part
    counted: Counted
    most_mw: int
    watched_since_ms: int


class Meter(Protocol):
    """The counters of one site."""

    def read(self) -> Sequence[Channel]:
        """Return what can be read now; a part is either there with all of its counters or not at all."""

    def says(self) -> str:
        """Return in a sentence what is measured, and why what is not."""


class NoMeter:
    """A site without any counter: everything is modelled."""

    def read(self) -> Sequence[Channel]:
        """Return no counters."""
        return ()

    def says(self) -> str:
        """Say so."""
        return "no meter; everything is modelled"
