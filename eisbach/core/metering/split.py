"""A site's meter split into jobs, idle and overhead: integers whose sum is the meter, exactly."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eisbach.core.vocabulary.invariant import require

PERMILLE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """What an attempt held of a node, and for how long inside the interval.

    `share_permille` is its part of the node, `active_mw` what it is modelled to have drawn there above idle.
    """

    job: str
    node: str
    from_ms: int
    to_ms: int
    share_permille: int
    active_mw: int


@dataclass(frozen=True, slots=True)
class JobEnergy:
    """A job's part of a meter in millijoule: its own work, its share of the idle of its nodes, its share of the overhead."""

    job: str
    own_mj: int
    idle_mj: int
    overhead_mj: int

    @property
    def total_mj(self) -> int:
        """Return the whole of it."""
        return self.own_mj + self.idle_mj + self.overhead_mj


@dataclass(frozen=True, slots=True)
class Split:
    """A meter's interval: the jobs' parts, and what stays with the operator."""

    jobs: tuple[JobEnergy, ...]
    operator_idle_mj: int
    operator_overhead_mj: int


def share_out(total: int, weights: Sequence[int]) -> list[int]:
    """Return integers that add up to `total` exactly, in proportion to weights of which at least one is above 0.

    The largest remainders are rounded up (Hamilton's method); of equal ones the first.
    """
    whole = sum(weights)
    require(whole > 0 and total >= 0, "something is shared out among somebody")
    parts = [total * weight // whole for weight in weights]
    missing = total - sum(parts)
    by_remainder = sorted(range(len(weights)), key=lambda at: (-(total * weights[at] % whole), at))
    for at in by_remainder[:missing]:
        parts[at] += 1
    return parts


def split_meter(
    *,
    from_ms: int,
    to_ms: int,
    it_mj: int,
    overhead_mj: int,
    idle_mw: Mapping[str, int],
    tenures: Iterable[Tenure],
) -> Split:
    """Split what the racks drew between two instants (`it_mj`), and what losses and cooling drew on top.

    `idle_mw` is what each node of the site draws at rest. The racks' energy goes by modelled milliwatt-milliseconds: to
    each job what its work drew above idle, and of a node's idle the share that it held while it held it. The overhead
    follows the racks' energy. Where nothing at all is modelled to have drawn anything, all stays with the operator.
    """
    require(to_ms > from_ms, "a meter is read over time")
    own: dict[str, int] = defaultdict(int)
    idle: dict[str, int] = defaultdict(int)
    held: dict[str, int] = defaultdict(int)
    for tenure in tenures:
        length = min(tenure.to_ms, to_ms) - max(tenure.from_ms, from_ms)
        if length <= 0:
            continue
        own[tenure.job] += tenure.active_mw * length * PERMILLE
        idle[tenure.job] += idle_mw.get(tenure.node, 0) * length * tenure.share_permille
        held[tenure.node] += length * tenure.share_permille
    whole = (to_ms - from_ms) * PERMILLE
    unheld = sum(mw * max(0, whole - held[node]) for node, mw in idle_mw.items())
    jobs = sorted(own)
    weights = [*(own[job] for job in jobs), *(idle[job] for job in jobs), unheld]
    if not any(weights):
        return Split((), it_mj, overhead_mj)
    parts = share_out(it_mj, weights)
    count = len(jobs)
    racks = [parts[at] + parts[count + at] for at in range(count)]
    over = share_out(overhead_mj, [*racks, parts[-1]]) if it_mj else [*([0] * count), overhead_mj]
    found = tuple(JobEnergy(job, parts[at], parts[count + at], over[at]) for at, job in enumerate(jobs))
    return Split(found, parts[-1], over[-1])
