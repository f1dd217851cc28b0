"""Jobs on GPUs, what they draw, and who is stopped for that: what tests of caps on power have in common."""

from eisbach.core.jobs.request import CapacityClass
from eisbach.core.power.draw import rating_of
from eisbach.core.scheduling.power import reckoned_mw
from tests.core.fleets import a_shape, an_active

SPOT, ON_DEMAND = CapacityClass.SPOT, CapacityClass.ON_DEMAND
GPU_MW = -(-(rating_of("h200.8", 0, 8).rated_mw - rating_of("h200.8", 0, 8).idle_mw) * 9 // 80)
"""A GPU of a node of eight, without its host: an eighth of nine tenths of what is above rest."""


def gpu_job(name, seq, *, gpus=1, **more):
    return an_active(name, seq, shapes=(a_shape(cores=1, gpus=gpus),), **more)


def a_gang(tasks, *, job="gang", **more):
    return an_active(job, 10, nodes=tasks, shapes=(a_shape(cores=1, gpus=2),), **more)


def drawn(state, site="here"):
    return reckoned_mw(state.fleet, site, (job.shares for job in state.holding.values()))


def running_since(state, name, since):
    state.jobs[name].running_ms = since


def stopped(plan):
    return [(stop.job, stop.cause) for stop in plan.stops]
