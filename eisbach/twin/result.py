"""What a run of the twin came to: the figures that every report and every comparison starts from."""

import resource
from typing import Any

import msgspec

KIB_A_MIB = 1024


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a run. Everything of it is SIMULATED but the last three, which are this process's own.

    Waits go from the submission to the first instant at which all tasks ran, `p50` and `p99` by nearest rank; `makespan_s`
    from the first submission to the last end. `sold` (charged), `allocated` (held) and `busy` (running) are fractions of all
    GPU time between these, a part of a GPU as its thousandths. `shortfall_gpu_h` is what bookings were short of: nodes that failed and
    were not replaced, for the rest of their windows. `moves` attempts moved aside for gangs, which was reckoned to bring
    `moves_gain_gpu_h`. `energy_kwh` is what the sites drew by the model, losses and cooling with it, and `pue` that over what the racks
    drew (ISO/IEC 30134-2); None where nothing was metered. `in_rack` is the share of gangs that stand in one
    domain of the level they asked for (in one rack where they asked for none), None where there was no gang.
    `cpu_s` counts this process and its children since it began.
    """

    jobs: int
    finished: int
    mean_wait_s: float
    p50_wait_s: float
    p99_wait_s: float
    makespan_s: float
    sold: float
    allocated: float
    busy: float
    stranded_gpu_h: float
    shortfall_gpu_h: float
    preemptions: int
    moves: int
    moves_gain_gpu_h: float
    energy_kwh: float | None
    pue: float | None
    promises: int
    promises_broken: int
    violations: int
    revenue_eur: float
    in_rack: float | None
    events: int
    plan_hash: str
    log_root: str
    cpu_s: float
    jobs_per_cpu_s: float
    peak_rss_mb: float

    def as_mapping(self) -> dict[str, Any]:
        """Return the figures by name, in a fixed order."""
        return msgspec.structs.asdict(self)


def cpu_seconds() -> float:
    """Return the CPU time of this process and its children since it began, imports included."""
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def peak_rss_mb() -> float:
    """Return the most memory this process ever held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_A_MIB
