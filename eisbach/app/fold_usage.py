"""Folding the hourly settlement of many attempts into the state."""

from collections.abc import Callable
from typing import Any, Final

from eisbach.app.event_body import Body
from eisbach.app.events_usage import UsageSettledTogether
from eisbach.app.fold_booking import note_paid
from eisbach.app.state import FactoryState


def _settled(state: FactoryState, seq: int, at_ms: int, body: UsageSettledTogether) -> None:
    accounts, jobs = state.accounts, state.scheduler.jobs
    if state.booking.bookings or state.booking.closing:
        for job, held_ms, charged in zip(body.jobs, body.held_ms, body.charged, strict=True):
            note_paid(state, jobs[job], held_ms, charged)
    columns = zip(map(accounts.__getitem__, body.jobs), body.held_ms, body.charged_ms, body.charged, body.amounts, strict=True)
    for account, held_ms, charged_ms, charged, amount in columns:
        account.attempt_settled_ms = held_ms
        account.attempt_ms = charged_ms
        account.attempt_charged = charged
        account.reserved -= amount
    if body.saved_ms:
        for running, saved_ms in zip(map(jobs.__getitem__, body.jobs), body.saved_ms, strict=True):
            running.saved_ms = saved_ms
    state.scheduler.fair_share.charge(body.project, body.gpu_milli_ms, at_ms)


CHANGES: Final[dict[type[Body], Callable[[FactoryState, int, int, Any], None]]] = {UsageSettledTogether: _settled}
