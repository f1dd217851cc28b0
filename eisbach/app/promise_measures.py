"""What public promises are measured by: one function for each metric, on what ledger and inventory say and nothing else.

Simulated GPUs never keep a promise; they are counted apart and named.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime

import msgspec

from eisbach.app.state import FactoryState
from eisbach.app.state_promises import SiteGpus
from eisbach.core.capacity.compute_figures import TFLOPS_PER_EXAFLOPS, around
from eisbach.core.jobs.request import WHOLE
from eisbach.core.vocabulary.quantities import DAY_MS

MILLI_MONTH_MS = 365_250 * DAY_MS // 12_000 // 1000
"""A thousandth of the mean month of the Julian year, 30.4375 days."""
PROMISED_GPUS = 10_000
"""What 0.5 exaflops are divided by: the number of GPUs promised beside them."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a measure may use: the state, the instant, the promised figure, and the date it is counted from."""

    state: FactoryState
    now: int
    value_milli: int
    counted_from: str


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What is so now: `value_milli` in thousandths of the promise's unit, None where nothing measures it.

    `finding` is a key of the message catalogues with `values`, `says` the same in English. `simulated_milli` is what
    simulated sites would add. `may_grow` says that the value can only rise from here (months that pass).
    """

    value_milli: int | None
    finding: str
    says: str
    values: Mapping[str, str] = msgspec.field(default_factory=dict)
    simulated_milli: int = 0
    may_grow: bool = False


def gpus_commissioned(asked: Asked) -> Measured:
    """GPUs of nodes that are there by now: declared, not removed, their day (`from`) has come; drained ones included; by site."""
    real, apart = _by_reality(asked.state)
    values = {"gpus": _count(real), "simulated": _count(apart)}
    says = f"{values['gpus']} GPUs are commissioned here"
    if apart:
        says += f"; {values['simulated']} simulated ones do not count"
    return Measured(
        value_milli=1000 * _sum(real),
        simulated_milli=1000 * _sum(apart),
        finding="gpus-commissioned-and-simulated" if apart else "gpus-commissioned",
        says=says,
        values=values,
    )


def months_to_operation(asked: Asked) -> Measured:
    """Months from the date counted from to the first GPU commissioned at a site that is not simulated, by this log.

    While there is none: the months that have passed. A month is 30.4375 days.
    """
    start = datetime.combine(date.fromisoformat(asked.counted_from), datetime.min.time(), UTC)
    real, _ = _by_reality(asked.state)
    firsts = [site.first_ms for site in real.values() if site.first_ms is not None]
    until = min(firsts, default=asked.now)
    months = max(0, until - round(start.timestamp()) * 1000) // MILLI_MONTH_MS
    values = {"from": asked.counted_from, "until": _day(until), "months": f"{months // 1000}.{months % 1000 // 100}"}
    if firsts:
        says = f"The first GPU was commissioned here on {values['until']}, {values['months']} months after {values['from']}"
    else:
        says = f"No GPU that is not simulated is commissioned here; {values['months']} months have passed since {values['from']}"
    return Measured(
        value_milli=months,
        finding="first-gpu" if firsts else "no-gpu-yet",
        says=says,
        values=values,
        may_grow=not firsts,
    )


def exaflops(asked: Asked) -> Measured:
    """Nothing: exaflops without a precision are no measurable figure. Says which precisions lie around it.

    The promised figure is divided by 10,000 GPUs and compared with the dense peak figures of a B200
    (core/capacity/compute_figures.py).
    """
    tflops = asked.value_milli * TFLOPS_PER_EXAFLOPS // 1000 // PROMISED_GPUS
    below, above = around("b200", tflops)
    values = {
        "tflops": str(tflops),
        "below": f"{below.precision} ({below.dense})" if below is not None else "nothing",
        "above": f"{above.precision} ({above.dense})" if above is not None else "nothing",
    }
    says = (
        f"No precision is stated. Over 10,000 GPUs it is {tflops} TFLOPS each; the dense peak figures of a B200 next to "
        f"that are {values['below']} below and {values['above']} above"
    )
    return Measured(value_milli=None, finding="no-precision", says=says, values=values)


def gpu_utilisation(asked: Asked) -> Measured:
    """GPU time that attempts held, divided by GPU time commissioned, since the first GPU at a site not simulated.

    Held is from the first task running to the attempt's end, busy or not; commissioned includes drained nodes.
    """
    real, apart = _by_reality(asked.state)
    running = _held_by_running(asked.state, asked.now)
    share, hours = _share(real, running, asked.now)
    if share is None:
        says = "No GPU that is not simulated has been commissioned here for any time"
        return Measured(value_milli=None, finding="no-gpu-time", says=says)
    values = {"percent": f"{share // 10}.{share % 10}", "hours": str(hours)}
    says = f"{values['percent']} % of {hours} GPU hours commissioned here were held by jobs"
    share_apart, _ = _share(apart, running, asked.now)
    return Measured(
        value_milli=share, simulated_milli=share_apart or 0, finding="gpu-time-held", says=says, values=values
    )


def renewable_share(asked: Asked) -> Measured:
    """The renewable energy factor of the real sites since they are metered (REF, EU 2024/1364): renewable over all energy.

    What is renewable is the operator's word in the site file, interval by interval.
    """
    meters = {site: one for site, one in asked.state.energy.meters.items() if not asked.state.sites[site].is_simulated}
    known_mj = sum(one.known_mj for one in meters.values())
    if not known_mj:
        return Measured(value_milli=None, finding="renewable-not-measured", says="Not measured here yet")
    value_milli = 1000 * sum(one.renewable_mj for one in meters.values()) // known_mj
    values = {"percent": f"{value_milli / 10:.1f}", "sites": ", ".join(site for site, one in meters.items() if one.known_mj)}
    return Measured(
        value_milli=value_milli,
        finding="renewable-share",
        says=f"{values['percent']} % of the energy of {values['sites']} was renewable, by the operator's word in the site file",
        values=values,
    )


def growth_of_german_ai_compute(asked: Asked) -> Measured:
    """Nothing: a factory knows its own inventory, and nobody publishes what all of Germany had before."""
    says = "This factory knows its own inventory and not Germany's; nobody publishes the figure to compare with"
    return Measured(value_milli=None, finding="not-by-one-factory", says=says)


MEASURES: dict[str, Callable[[Asked], Measured]] = {
    measure.__name__: measure
    for measure in (
        gpus_commissioned,
        months_to_operation,
        exaflops,
        gpu_utilisation,
        renewable_share,
        growth_of_german_ai_compute,
    )
}
LESS_IS_BETTER = frozenset({"months_to_operation"})
"""Metrics for which "up to" is a promise; of all others it names a ceiling that any number keeps."""


def _by_reality(state: FactoryState) -> tuple[dict[str, SiteGpus], dict[str, SiteGpus]]:
    """Return what real sites have, and apart from it what simulated ones have."""
    sites: dict[bool, dict[str, SiteGpus]] = {False: {}, True: {}}
    for site, gpus in sorted(state.promises.gpus_at.items()):
        sites[state.sites[site].is_simulated][site] = gpus
    return sites[False], sites[True]


def _sum(sites: Mapping[str, SiteGpus]) -> int:
    return sum(site.gpus for site in sites.values())


def _count(sites: Mapping[str, SiteGpus]) -> str:
    """Return a sum and where it comes from, such as `8 (here: 8)`."""
    parts = ", ".join(f"{name}: {site.gpus}" for name, site in sites.items() if site.gpus)
    return f"{_sum(sites)} ({parts})" if parts else "0"


def _held_by_running(state: FactoryState, now: int) -> dict[str, int]:
    held: dict[str, int] = {}
    for job in state.scheduler.holding.values():
        since = now - job.running_ms if job.running_ms is not None else 0
        for share in job.shares:
            site = state.scheduler.fleet.nodes[share.node].site
            held[site] = held.get(site, 0) + len(share.gpus) * share.gpu_milli * since // WHOLE
    return held


def _share(sites: Mapping[str, SiteGpus], running: Mapping[str, int], now: int) -> tuple[int | None, int]:
    """Return the share held in thousandths (None without any time) and the GPU hours commissioned."""
    commissioned = sum(site.commissioned_gpu_ms + site.gpus * (now - site.counted_ms) for site in sites.values())
    held = sum(site.held_gpu_ms + running.get(name, 0) for name, site in sites.items())
    return (1000 * held // commissioned if commissioned else None), commissioned // 3_600_000


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
