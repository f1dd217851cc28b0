"""A round that reads the meters: what each site drew since the last time, split so that the parts are the meter.

Intervals of a site follow one another without holes and never cross a full hour, except where nobody looked for long: then
one interval covers the gap and says so. Nothing is written while nothing happens but one event an hour and site.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from eisbach.app.commands import Command, Context, Decision
from eisbach.app.events_energy import CounterTuple, EnergyMetered, HeatTuple, JobEnergyTuple, StreamTuple
from eisbach.app.model_energy import Modelled, model
from eisbach.app.periods import METERS_WHILE_RUNNING_MS
from eisbach.app.site_facts import SiteFacts
from eisbach.app.state import FactoryState
from eisbach.app.state_energy import SiteMeter
from eisbach.core.metering.counter import Counted, Label, difference
from eisbach.core.metering.indicators import carbon_mg, market_g_per_kwh
from eisbach.core.metering.split import Split, share_out, split_meter
from eisbach.core.power.budget import Operation, Plant, operate
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS, MJ_PER_KWH, SECOND_MS
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.ports.meter import Channel, NoMeter, Part

if TYPE_CHECKING:
    from eisbach.app.application import Application

AFTER_END_MS = 30 * SECOND_MS
"""After work ended, its bill is complete as soon as the last interval is this old."""
GAP_MS = HOUR_MS + 30 * MINUTE_MS
"""Nobody looked for longer than this: the interval is marked as a gap."""

_LABELS = {True: Label.SIMULATED, False: Label.MODELLED}
"""whether a site is simulated -> what its figures are where no counter measures them"""


def meter_energy(application: "Application", *, now: bool = False) -> int:
    """Meter each site where that is due, or all of them now; return how many intervals that made."""
    made = 0
    for facts in application.sites.values():
        channels = application.meters.get(facts.site, NoMeter()).read()  # each time: it watches its counters wrap
        if not now and not _is_wanted(application, facts.site):
            continue
        answer = application.perform(command(facts, channels, is_forced=now)).result()
        made += 0 if isinstance(answer, Refusal) else int(answer["intervals"])
    return made


def _is_wanted(application: "Application", site: str) -> bool:
    """Ask before anything is read or decided: an idle factory stays idle."""
    return bool(application.ask(lambda state, now: _ends(state, site, now, is_forced=False)).result())


def command(facts: SiteFacts, channels: Sequence[Channel], *, is_forced: bool) -> Command:
    """Return the command that meters a site as its counters stand now."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        events: list[EnergyMetered] = []
        meter = state.energy.meters.get(facts.site)
        ends = _ends(state, facts.site, context.now, is_forced=is_forced)
        for end in ends:
            assert meter is not None
            reading = _read(meter, channels, end, context.now)
            events.append(_metered(state, facts, meter.metered_ms, end, reading))
            meter = SiteMeter(metered_ms=end, is_new=False, counters={one[0]: one[1:] for one in reading.counters})
        return Decision(events=tuple(events), reply={"site": facts.site, "intervals": len(events)})

    return decide


def _ends(state: FactoryState, site: str, now: int, *, is_forced: bool) -> list[int]:
    """Return the ends of the intervals that are due at a site now, none where nothing is."""
    meter = state.energy.meters.get(site)
    if meter is None or now <= meter.metered_ms:
        return []
    since, hour = now - meter.metered_ms, now - now % HOUR_MS
    ends = []
    if hour > meter.metered_ms:
        next_hour = meter.metered_ms - meter.metered_ms % HOUR_MS + HOUR_MS
        ends = [hour] if since > GAP_MS else list(range(next_hour, hour + 1, HOUR_MS))
    has_ended = since >= AFTER_END_MS and (meter.is_new or any(one.site == site for one in state.energy.ended))
    runs_long = since >= METERS_WHILE_RUNNING_MS and _is_busy(state, site)
    if (is_forced or has_ended or runs_long) and now > max([meter.metered_ms, *ends]):
        ends.append(now)
    return ends


def _is_busy(state: FactoryState, site: str) -> bool:
    nodes = state.scheduler.fleet.nodes
    return any(nodes[share.node].site == site for job in state.scheduler.holding.values() for share in job.shares)


class _Reading(msgspec.Struct, frozen=True):
    """What counters say of an interval: energy by part, None where they do not tell; and how they stood at its end."""

    measured: dict[Part, int]
    counters: tuple[CounterTuple, ...]


def _read(meter: SiteMeter, channels: Sequence[Channel], end: int, now: int) -> _Reading:
    """Return what was measured up to `end`. The counters stand at `now`: in between they are taken to run evenly."""
    measured: dict[Part, int] = {}
    untold: set[Part] = set()
    counters: list[CounterTuple] = []
    elapsed = now - meter.metered_ms
    for channel in channels:
        known, after = meter.counters.get(channel.name), channel.counted
        if channel.watched_since_ms <= meter.metered_ms:
            after = after._replace(wraps_at_mj=0)
        before = Counted(*known) if known is not None else None
        total = difference(before, after, elapsed, channel.most_mw)
        if total is None or before is None:
            untold.add(channel.part)
            stood = after.value_mj
        else:
            part = total * (end - meter.metered_ms) // elapsed
            measured[channel.part] = measured.get(channel.part, 0) + part
            stood = after.value_mj - total + part
        counters.append((channel.name, stood, after.origin))
    return _Reading({part: mj for part, mj in measured.items() if part not in untold}, tuple(counters))


def _metered(
    state: FactoryState, facts: SiteFacts, from_ms: int, to_ms: int, reading: _Reading
) -> EnergyMetered:
    modelled = model(state, facts.site, from_ms, to_ms)
    parts = {Part.HOSTS: modelled.hosts_mj, Part.ACCELERATORS: modelled.accelerators_mj}
    it_mj = sum({**parts, **reading.measured}.values())
    measured_mj = sum(reading.measured.values())
    running = _operation(facts.plant, it_mj, from_ms, to_ms)
    losses, cooling = (
        (_energy(running.losses_mw, from_ms, to_ms), _energy(running.cooling_mw, from_ms, to_ms)) if running else (0, 0)
    )
    split = split_meter(
        from_ms=from_ms,
        to_ms=to_ms,
        it_mj=it_mj,
        overhead_mj=losses + cooling,
        idle_mw=modelled.idle_mw,
        tenures=modelled.tenures,
    )
    by_place, by_market = _carbon(facts, it_mj + losses + cooling)
    is_whole = measured_mj == it_mj and measured_mj > 0
    return EnergyMetered(
        site=facts.site,
        from_ms=from_ms,
        to_ms=to_ms,
        label=(Label.MEASURED if is_whole else _LABELS[facts.is_simulated]).value,
        it_mj=it_mj,
        measured_mj=measured_mj,
        losses_mj=losses,
        cooling_mj=cooling,
        has_plant=running is not None,
        operator_idle_mj=split.operator_idle_mj,
        operator_overhead_mj=split.operator_overhead_mj,
        jobs=_jobs(split, modelled, by_place, by_market),
        carbon_location_mg=by_place,
        carbon_market_mg=by_market,
        renewable_mj=_renewable(facts, it_mj + losses + cooling),
        counters=reading.counters,
        is_gap=to_ms - from_ms > HOUR_MS,
        stream=_stream(running) if running is not None else None,
        heat=_heat(running, from_ms, to_ms) if running is not None else None,
        air_mc=running.air_mc if running is not None else None,
        water_ml=_water(facts, running, from_ms, to_ms) if running is not None else None,
    )


def _operation(plant: Plant | None, it_mj: int, from_ms: int, to_ms: int) -> Operation | None:
    if plant is None:
        return None
    return operate(plant, it_mj * 1000 // (to_ms - from_ms), (from_ms + to_ms) // 2)


def _energy(draw_mw: int, from_ms: int, to_ms: int) -> int:
    """Return the millijoule of a draw over an interval."""
    return draw_mw * (to_ms - from_ms) // 1000


def _stream(running: Operation) -> StreamTuple | None:
    water, limits = running.water, running.limits
    if water is None or limits is None:
        return None
    return water.flow_litres_s, water.temperature_mc, running.rise_mk, limits.temperature_mc, limits.rise_mk


def _heat(running: Operation, from_ms: int, to_ms: int) -> HeatTuple | None:
    if running.heat is None:
        return None
    offered, demanded, delivered = running.heat.offered_mw, running.heat.demand_mw, running.heat.delivered_mw
    return _energy(offered, from_ms, to_ms), _energy(demanded, from_ms, to_ms), _energy(delivered, from_ms, to_ms)


def _water(facts: SiteFacts, running: Operation, from_ms: int, to_ms: int) -> int | None:
    """Return what chillers evaporated. Water of the stream flows back and does not count."""
    if facts.power is None:
        return None
    chilled_mj = _energy(running.cooling.chillers_mw, from_ms, to_ms)
    return chilled_mj * facts.power.cooling.evaporated_ml_per_kwh // MJ_PER_KWH


def _carbon(facts: SiteFacts, energy_mj: int) -> tuple[int | None, int | None]:
    carbon = facts.carbon
    if carbon is None:
        return None, None
    market = market_g_per_kwh(carbon.residual_g_per_kwh, carbon.renewable_permille)
    return carbon_mg(energy_mj, carbon.grid_g_per_kwh), carbon_mg(energy_mj, market)


def _renewable(facts: SiteFacts, energy_mj: int) -> int | None:
    return energy_mj * facts.carbon.renewable_permille // 1000 if facts.carbon is not None else None


def _jobs(
    split: Split, modelled: Modelled, by_place: int | None, by_market: int | None
) -> tuple[JobEnergyTuple, ...]:
    """Return the jobs' parts with their CO2, which follows the energy; what is left of both is the operator's."""
    weights = [*(job.total_mj for job in split.jobs), split.operator_idle_mj + split.operator_overhead_mj]
    place, market = (
        share_out(grams, weights) if grams is not None and any(weights) else [grams] * len(weights)
        for grams in (by_place, by_market)
    )
    return tuple(
        (job.job, modelled.projects[job.job], job.own_mj, job.idle_mj, job.overhead_mj, place[at], market[at])
        for at, job in enumerate(split.jobs)
    )
