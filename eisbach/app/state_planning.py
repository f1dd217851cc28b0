"""The part of the factory's state that follows from events about promised starts and the scheduler's policy.

While the factory runs it lives in the scheduler (policy, calendar); this is the form in which snapshots keep it.
"""

from dataclasses import dataclass, field

from eisbach.core.scheduling.policy import DEFAULT, Policy
from eisbach.core.scheduling.promise import Given


@dataclass(slots=True)
class PlanningState:
    """The policy that holds, and the promises that stand, by job."""

    policy: Policy = DEFAULT
    promises: list[Given] = field(default_factory=list)
