"""Events about promised starts and the scheduler's policy."""

from eisbach.app.event_body import Body
from eisbach.core.scheduling.policy import HALF_LIFE_HOURS, MINIMUM_RUN_MS, NOTICE_MS


class StartPromised(Body, frozen=True):
    """A job is to start no later than `from_ms` on these nodes; `earlier_than_ms` is the promise that this one replaces.

    `is_shared`: it needs but a part of the nodes, and others may be there too.
    """

    job: str
    from_ms: int
    until_ms: int
    nodes: tuple[str, ...]
    is_shared: bool
    earlier_than_ms: int | None = None


class StartUnpromised(Body, frozen=True):
    """A promise does not hold any more: `cause` is one of BreakCause."""

    job: str
    from_ms: int
    cause: str


class SchedulerSet(Body, frozen=True):
    """The scheduler decides by this policy from now on."""

    policy: str
    order: str
    backfill: str
    promises_max: int
    promised_nodes: int
    again_ms: int
    runtime_weight_permille: int
    by: str
    notice_ms: int = NOTICE_MS
    minimum_run_ms: int = MINIMUM_RUN_MS
    half_life_hours: int = HALF_LIFE_HOURS


KINDS: dict[str, type[Body]] = {
    "start.promised": StartPromised,
    "start.unpromised": StartUnpromised,
    "scheduler.set": SchedulerSet,
}
