"""Folding the hourly settlement of many attempts into the state."""

from collections.abc import Callable
from typing import Any

from eisbach.app.event_body import Body
from eisbach.app.events_usage import UsageSettledTogether
from eisbach.app.state import FactoryState


def _settled(state: FactoryState, seq: int, at_ms: int, body: UsageSettledTogether) -> None:
    jobs, accounts = state.scheduler.jobs, state.accounts
    gpu_milli_ms = 0
    columns = zip(body.jobs, body.held_ms, body.charged_ms, body.charged, body.amounts, strict=True)
    for name, held_ms, charged_ms, charged, amount in columns:
        job, account = jobs[name], accounts[name]
        weight = account.prices[job.shape] * charged_ms
        account.weight += weight - account.attempt_weight
        account.charged += amount
        account.charged_ms += charged_ms - account.attempt_ms
        account.attempt_weight, account.attempt_charged, account.attempt_ms = weight, charged, charged_ms
        gpu_milli_ms += job.gpu_milli * (held_ms - account.attempt_settled_ms)
        account.attempt_settled_ms = held_ms
        account.reserved -= amount
    state.scheduler.fair_share.charge(body.project, gpu_milli_ms, at_ms)


CHANGES: dict[type[Body], Callable[[FactoryState, int, int, Any], None]] = {UsageSettledTogether: _settled}
