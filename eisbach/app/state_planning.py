"""The part of the factory's state that follows from events about promised starts and the scheduler's policy.

While the factory runs it lives in the scheduler (policy, calendar); this is the form in which snapshots keep it.
"""

from dataclasses import dataclass, field

from eisbach.core.scheduling.policy import DEFAULT, Policy
from eisbach.core.scheduling.promise import Given


@dataclass(slots=True)
class PlanningState:
    """The policy that holds, and the promises that stand, by job, with when each was looked at last; the longest grace of spot so far."""

    policy: Policy = DEFAULT
    promises: list[Given] = field(default_factory=list)
    looked_ms: dict[str, int] = field(default_factory=dict)
    spot_grace_ms: int = 0
