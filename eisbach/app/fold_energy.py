"""Folding events about energy, water and heat into the state."""

from collections.abc import Callable
from typing import Any, Final

from eisbach.app.event_body import Body
from eisbach.app.events_energy import EnergyMetered, PowerCapped
from eisbach.app.state import FactoryState
from eisbach.app.state_energy import Held, PowerCap, SiteMeter
from eisbach.core.admission.state import ActiveJob


def note_site(state: FactoryState, site: str, at_ms: int) -> None:
    """A site is known from now on: its first interval begins."""
    state.energy.meters.setdefault(site, SiteMeter(metered_ms=at_ms))


def note_end(state: FactoryState, job: ActiveJob, site: str, to_ms: int, cpu_ms: int) -> None:
    """An attempt is over: what it held is part of the next interval of its site."""
    booked = sum(share.cpu_milli for share in job.shares)
    for share in job.shares:
        state.energy.ended.append(
            Held(
                job=job.job,
                project=job.project,
                site=site,
                node=share.node,
                from_ms=job.planned_ms,
                running_ms=job.running_ms,
                to_ms=to_ms,
                cpu_milli=share.cpu_milli,
                gpus=len(share.gpus),
                gpu_milli=share.gpu_milli,
                cpu_ms=cpu_ms * share.cpu_milli // max(1, booked),
            )
        )


def _metered(state: FactoryState, seq: int, at_ms: int, body: EnergyMetered) -> None:
    counters = {name: (value, origin) for name, value, origin in body.counters}
    before = state.energy.meters.get(body.site)
    known_mj, renewable_mj = (before.known_mj, before.renewable_mj) if before is not None else (0, 0)
    if body.renewable_mj is not None:
        known_mj += body.it_mj + body.losses_mj + body.cooling_mj
        renewable_mj += body.renewable_mj
    state.energy.meters[body.site] = SiteMeter(
        metered_ms=body.to_ms, is_new=False, counters=counters, known_mj=known_mj, renewable_mj=renewable_mj
    )
    state.energy.ended = [one for one in state.energy.ended if one.site != body.site or one.to_ms > body.to_ms]


def _capped(state: FactoryState, seq: int, at_ms: int, body: PowerCapped) -> None:
    caps = state.energy.caps.setdefault(body.site, {})
    if body.racks_mw is None:
        caps.pop(body.source, None)
    else:
        caps[body.source] = PowerCap(racks_mw=body.racks_mw, cause=body.cause, until_ms=body.until_ms)
    if not caps:
        del state.energy.caps[body.site]
    state.scheduler.power_caps = state.energy.lowest_caps()
    state.scheduler.agenda.are_bookings_shaken = True


CHANGES: Final[dict[type[Body], Callable[[FactoryState, int, int, Any], None]]] = {
    EnergyMetered: _metered,
    PowerCapped: _capped,
}
