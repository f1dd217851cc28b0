"""Why a job waits for power: the cap, what is reckoned with already, and what the job would add."""

from eisbach.app.state import FactoryState
from eisbach.core.admission.plan import Plan
from eisbach.core.admission.state import ActiveJob
from eisbach.core.scheduling.power import PowerRoom, at_rest_mw, reckoned_mw, work_mw

KILOWATT = 1_000_000


def power_text(state: FactoryState, job: ActiveJob, plan: Plan) -> str:
    """Return what stands in the way of a job that has room but not the power, empty where power is not what it lacks."""
    scheduler = state.scheduler
    if not scheduler.power_caps:
        return ""
    held = [one.shares for one in scheduler.holding.values()]
    room = PowerRoom(scheduler.power_caps, scheduler.fleet, held)
    for shape in job.shapes:
        shares = scheduler.fleet.place(shape, job.nodes, job.where)
        if shares is None:
            continue
        wanted = work_mw(scheduler.fleet, shares)
        for site in sorted(room.lacks(shares)):
            return _numbers(state, site, wanted[site], reckoned_mw(scheduler.fleet, site, held))
        capped = sorted(site for site in wanted if site in scheduler.power_caps)
        if capped and plan.power_head not in (None, job.job):
            return f"What is left of the power of {capped[0]} is kept for a job that stands before it"
    return ""


def _numbers(state: FactoryState, site: str, wanted_mw: int, reckoned: int) -> str:
    cap_mw = state.scheduler.power_caps[site]
    cap = min(state.energy.caps[site].values(), key=lambda one: one.racks_mw)
    at_rest = at_rest_mw(state.scheduler.fleet, site)
    text = (
        f"It has room at {site}, but would add {_kw(wanted_mw)} to the {_kw(reckoned)} that its racks may draw already "
        f"({_kw(at_rest)} of it at rest), and they may draw {_kw(cap_mw)} (limit: {cap.cause})"
    )
    if at_rest + wanted_mw > cap_mw:
        return f"{text}. It does not start under this cap, whatever else ends"
    return text


def _kw(milliwatt: int) -> str:
    return f"{milliwatt / KILOWATT:,.2f} kW"
