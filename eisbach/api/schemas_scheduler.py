"""Schemas of `/v1/scheduler`: the policy that holds."""

from pydantic import Field

from eisbach.api.schemas import Asked, Told
from eisbach.core.scheduling.policy import HALF_LIFE_HOURS, MINIMUM_RUN_MS, NOTICE_MS


class NewPolicy(Asked):
    policy: str = Field(description="fifo, easy or default.", examples=["default"], max_length=64)
    notice_ms: int = Field(default=NOTICE_MS, description="How long before its signal work is told that it is preempted.")
    minimum_run_ms: int = Field(default=MINIMUM_RUN_MS, description="How long an attempt runs at least before it gives way to other work.")
    half_life_hours: int = Field(default=HALF_LIFE_HOURS, description="After how long usage counts half in fair shares.")


class Policy(Told):
    """How the queue is ordered and what may pass what."""

    policy: str
    order: str = Field(description="first-come, or fair: fair share, then age against predicted runtime.")
    backfill: str = Field(description="What may start while the first job waits: none, easy, or promises.")
    promises_max: int = Field(description="How many jobs of a pool may have a promised start.")
    promised_nodes: int = Field(description="From how many nodes on a job gets one; 0: only the first of its class.")
    again_ms: int = Field(description="How often a promise is looked at, whether it can be an earlier one.")
    runtime_weight_permille: int = Field(description="Which part of its predicted runtime a job is served later.")
    notice_ms: int = Field(description="How long before its signal work is told that it is preempted.")
    minimum_run_ms: int = Field(description="How long an attempt runs at least before it gives way to other work.")
    half_life_hours: int = Field(description="After how long usage counts half in fair shares.")


class Scheduler(Policy):
    promises: int = Field(description="Promised starts that stand.")
    waiting: int


class SetPolicy(Policy):
    changed: bool
