"""What quotas, agreements and fair shares have to do with it that a job waits, with their numbers."""

from eisbach.app import why_texts
from eisbach.app.set_shares import scope_of
from eisbach.app.state import FactoryState
from eisbach.app.why_texts import Said
from eisbach.core.admission.giving_way import is_above_quota
from eisbach.core.admission.state import ActiveJob
from eisbach.core.scheduling.policy import Order


def what_shares_say(state: FactoryState, job: ActiveJob) -> Said | None:
    """Return the sentence about a waiting job's quota, or else its fair share; None where the policy asks neither."""
    if is_above_quota(state.scheduler, job):
        return _quota(state, job)
    if state.scheduler.policy.order is not Order.FAIR or not job.gpu_milli:
        return None
    tree = state.scheduler.fair_share
    rank = tree.rank(job.project)
    waiting = set(state.scheduler.queue.leaves())
    values = {
        "had_ppm": tree.used_ppm(job.project),
        "due_ppm": tree.due_ppm(job.project),
        "before": sum(1 for leaf in waiting if leaf != job.project and tree.rank(leaf) < rank),
    }
    return Said(why_texts.FAIR_SHARE, values)


def _quota(state: FactoryState, job: ActiveJob) -> Said:
    tree = state.scheduler.fair_share
    for owner in tree.path(job.project):
        quota = state.shares.quotas.get(owner)
        if quota is not None and tree.firm(owner) + job.gpu_milli > quota:
            pattern = why_texts.QUOTA_OF_PROJECT if scope_of(state, owner) == "project" else why_texts.QUOTA_OF_ORGANISATION
            values = {"held_gpu_milli": tree.firm(owner), "quota_gpu_milli": quota, "more_gpu_milli": job.gpu_milli}
            return Said(pattern, values)
    raise AssertionError("a job above a quota has one")
