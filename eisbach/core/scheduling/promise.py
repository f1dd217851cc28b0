"""A promise: a start no later than. Given, kept, replaced by an earlier one, or broken with a cause; never moved later."""

from enum import Enum
from typing import Final, NamedTuple

from eisbach.core.vocabulary.quantities import MINUTE_MS

TOLERANCE_MS: Final = MINUTE_MS
"""How much later than promised a start still keeps its promise: what an engine may take to see that earlier work is over."""


class BreakCause(Enum):
    """Why a promise was broken (DESIGN 5): nothing else may break one."""

    HARDWARE = "hardware"
    OPERATOR = "operator"
    POWER_CAP = "power_cap"
    """credited to the tenant"""
    TENANT = "tenant"
    LATE_RELEASE = "late_release"
    """work before it outran its limit; ours, as hardware is"""


class Given(NamedTuple):
    """A promise that a job gets: its start, the end of its limit then, the nodes; `is_shared` if it needs but a
    part of them. `earlier_than_ms` is the start that it replaces."""

    job: str
    from_ms: int
    until_ms: int
    nodes: tuple[str, ...]
    is_shared: bool = False
    earlier_than_ms: int | None = None


class Broken(NamedTuple):
    """A promise that is not kept, and why."""

    job: str
    from_ms: int
    cause: BreakCause
