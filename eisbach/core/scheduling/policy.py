"""How the queue is ordered and what may pass what: a value, so that one cycle serves every policy (docs/decisions/0014, point 5)."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS, SECOND_MS

NOTICE_MS: Final = 30 * SECOND_MS
"""How long before its signal work is told that it is preempted, where nothing else is set: as Google Cloud and Azure tell spot machines."""

MINIMUM_RUN_MS: Final = 10 * MINUTE_MS
"""How long an attempt runs at least before it gives way to other work, where nothing else is set."""
HALF_LIFE_HOURS: Final = 168
"""After how long usage counts half in fair shares, where nothing else is set: a week, as Slurm's PriorityDecayHalfLife."""


class Order(Enum):
    """Who stands before whom within a capacity class."""

    FIRST_COME = "first-come"
    FAIR = "fair"
    """fair share of the organisations, then age against predicted runtime"""


class Backfill(Enum):
    """What may start while the first job waits."""

    NONE = "none"
    """nothing of what stands behind it"""
    EASY = "easy"
    """whatever leaves the head's start alone that limits allow it"""
    PROMISES = "promises"
    """whatever leaves every promise and every booking alone"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy of the scheduler; `fifo`, `easy` and `default` are three such values.

    At most `promises_max` jobs of a pool have a promised start: the head of a capacity class, and whoever needs
    `promised_nodes` nodes or more (0: nobody); whoever needs half as many or more puts off no expected start of those
    (core/admission/yielding.py) and leaves small work room (leaving_room.py). Every `again_ms` a promise is looked at again, whether it can be an earlier one.
    A job is served as if it had been submitted `runtime_weight_permille` thousandths of its predicted runtime later.
    Who is preempted gets his signal, and with it his grace, `notice_ms` after that is decided and told (0: at once);
    nobody is whose attempt has run for less than `minimum_run_ms`. Usage counts half in fair shares after `half_life_hours`.
    """

    name: str
    order: Order
    backfill: Backfill
    promises_max: int = 0
    promised_nodes: int = 0
    again_ms: int = 0
    runtime_weight_permille: int = 0
    notice_ms: int = NOTICE_MS
    minimum_run_ms: int = MINIMUM_RUN_MS
    half_life_hours: int = HALF_LIFE_HOURS


FIFO: Final = Policy(name="fifo", order=Order.FIRST_COME, backfill=Backfill.NONE)
EASY: Final = Policy(name="easy", order=Order.FIRST_COME, backfill=Backfill.EASY, promises_max=1)
DEFAULT: Final = Policy(
    name="default",
    order=Order.FAIR,
    backfill=Backfill.PROMISES,
    promises_max=8,
    promised_nodes=64,
    again_ms=HOUR_MS,
    runtime_weight_permille=1000,
)
POLICIES: Final = {policy.name: policy for policy in (FIFO, EASY, DEFAULT)}
"""The policies that have a name."""
