"""Why a job waits for power: the cap, what is reckoned with already, and what the job would add."""

from eisbach.app import why_texts
from eisbach.app.state import FactoryState
from eisbach.app.why_texts import Said
from eisbach.core.admission.plan import Plan
from eisbach.core.admission.state import ActiveJob
from eisbach.core.scheduling.power import work_mw


def what_power_lacks(state: FactoryState, job: ActiveJob, plan: Plan) -> Said | None:
    """Return what stands in the way of a job that has room but not the power, None where power is not what it lacks."""
    scheduler = state.scheduler
    if not scheduler.power_caps:
        return None
    room = scheduler.power_room()
    for shape in job.shapes:
        shares = scheduler.fleet.place(shape, job.nodes, job.where)
        if shares is None:
            continue
        wanted = work_mw(scheduler.fleet, shares)
        for site in sorted(room.lacks(shares)):
            return _numbers(state, site, wanted[site], scheduler.power.rest_mw(site) + scheduler.power.work_mw(site))
        capped = sorted(site for site in wanted if site in scheduler.power_caps)
        if capped and plan.power_head not in (None, job.job):
            return Said(why_texts.POWER_KEPT, {"site": capped[0]})
    return None


def _numbers(state: FactoryState, site: str, wanted_mw: int, reckoned: int) -> Said:
    cap_mw, rest_mw = state.scheduler.power_caps[site], state.scheduler.power.rest_mw(site)
    cap = min(state.energy.caps[site].values(), key=lambda one: one.racks_mw)
    values = {"site": site, "wanted_mw": wanted_mw, "rest_mw": rest_mw, "cap_mw": cap_mw, "cause": cap.cause}
    if rest_mw + wanted_mw > cap_mw:
        return Said(why_texts.POWER_NEVER, values)
    return Said(why_texts.POWER_LACKS, {**values, "reckoned_mw": reckoned})
