"""What running work has cost up to now, before the next settlement says it exactly."""

from collections.abc import Callable

from eisbach.app.state import FactoryState
from eisbach.core.billing.charge import charge_of
from eisbach.core.jobs.lifecycle import JobState


def question(*, job: str) -> Callable[[FactoryState, int], int | None]:
    """Return the question what a job would have been charged, were it settled now; None where none of it runs.

    Held time is reckoned from the factory's clock here; the settlement takes what the supervisor measured.
    """

    def ask(state: FactoryState, now: int) -> int | None:
        known, account = state.scheduler.jobs.get(job), state.accounts.get(job)
        if known is None or account is None or known.state is not JobState.RUNNING or known.running_ms is None:
            return None
        unsettled_ms = max(0, now - known.running_ms - max(account.attempt_settled_ms, account.free_ms))
        return charge_of(account.weight + account.price * unsettled_ms, 0)

    return ask
