"""The part of the factory's state that follows from events about promised starts and the scheduler's policy.

While the factory runs it lives in the scheduler (policy, calendar); this is the form in which snapshots keep it.
"""


import msgspec

from eisbach.core.scheduling.policy import DEFAULT, Policy
from eisbach.core.scheduling.promise import Given


class PlanningState(msgspec.Struct):
    """The policy that holds, and the promises that stand, by job, with when each was looked at last; the longest grace of spot so far."""

    policy: Policy = DEFAULT
    promises: list[Given] = msgspec.field(default_factory=list)
    looked_ms: dict[str, int] = msgspec.field(default_factory=dict)
    spot_grace_ms: int = 0
