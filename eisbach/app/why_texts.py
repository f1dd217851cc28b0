"""Why a job is where it is, as sentences: one source for the English text and for its translations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from eisbach.core.jobs.request import WHOLE, NodeShape
from eisbach.core.power.draw import power_text
from eisbach.core.vocabulary.interval import minute_text
from eisbach.core.vocabulary.money import euro_text
from eisbach.ports.translator import N_

STARTING = N_("Attempt {attempt} is starting on {nodes}")
STOPPING = N_("Attempt {attempt} is being stopped ({cause}); it has {grace_ms} to save")
NOTICE = N_(
    "Attempt {attempt} will be asked to stop at {signal_at}, in {notice_ms} ({cause}); from then on it has {grace_ms} to save"
)
RUNNING = N_("Attempt {attempt} has run for {held_ms} on {nodes}; its limit is reached in {left_ms}")
RETRY = N_("Attempt {attempt} failed; the next one starts in {pause_ms}")
UNFUNDED = N_(
    "Up to {wanted_micro_eur} must be reserved and the project has {left_micro_eur} left of {budget_micro_eur} this month. "
    "It is funded when running jobs settle for less than their ceilings, when the budget is raised, or next month"
)
UNFUNDED_BEHIND = N_(
    "Up to {wanted_micro_eur} must be reserved and the project has {left_micro_eur} left of {budget_micro_eur} this month, "
    "{before} jobs of the project wait for money before it. "
    "It is funded when running jobs settle for less than their ceilings, when the budget is raised, or next month"
)
NEXT_CYCLE = N_("It needs {count} x ({each}), which are free: it starts with the next cycle")
NODES_OUT = N_(
    "It needs {count} x ({each}). Of {nodes} nodes that could take it {out} take nothing now: {drained} drained, {lost} lost, "
    "{suspect} suspect, {maintained} in maintenance, {planned} not there yet"
)
NODES_OUT_UNTIL = N_(
    "It needs {count} x ({each}). Of {nodes} nodes that could take it {out} take nothing now: {drained} drained, {lost} lost, "
    "{suspect} suspect, {maintained} in maintenance, {planned} not there yet. The first of them is back at {back_at}"
)
GONE = N_("It needs {count} x ({each}), and the site has no such nodes any more")
RULED_OUT = N_(
    "It needs {count} x ({each}). The rules leave {left} of {sites} sites to it, and none of those has such nodes. "
    "It starts when a rule or a site changes"
)
BEHIND_ONE = N_("It would fit now, but running up to its limit it would delay {head}, which stands before it ({ahead} jobs ahead)")
BEHIND_FIRST = N_(
    "It would fit now, but running up to its limit it would delay the first job that has to wait, which stands before it "
    "({ahead} jobs ahead)"
)
YIELDS_TO_ONE = N_(
    "It would fit now, but running up to its limit it would delay {head}, which stands before it and is expected to start at "
    "{start_at} ({ahead} jobs ahead)"
)
YIELDS = N_(
    "It would fit now, but running up to its limit it would delay a larger job, which stands before it and is expected to "
    "start at {start_at} ({ahead} jobs ahead)"
)
LEAVES_ROOM = N_(
    "It would fit now, but would leave smaller work too little: it starts when more is free, and is not held back for that "
    "after {until_at} ({ahead} jobs ahead)"
)
BEHIND_BOOKING = N_(
    "It would fit now, but running up to its limit it would reach into a booking that begins at {from_at} ({ahead} jobs ahead)"
)
BEHIND_MAINTENANCE = N_(
    "It would fit now, but running up to its limit it would reach into maintenance that begins at {from_at} ({ahead} jobs ahead)"
)
IN_ORDER = N_("It needs {count} x ({each}), which are free, but nothing passes the first job that has to wait ({ahead} jobs ahead)")
BOOKING_OVER = N_("It runs inside a booking, which is over")
IN_BOOKING = N_("It runs inside a booking, which begins at {from_at} and ends at {until_at}; its time limit has to end by then")
BUSY_TOGETHER = N_(
    "It needs {count} x ({each}) in one {level}; the best {level} has {free} of them free; {ahead} jobs stand before it"
)
BUSY_TOGETHER_UNTIL = N_(
    "It needs {count} x ({each}) in one {level}; the best {level} has {free} of them free until {until_at}; "
    "{ahead} jobs stand before it"
)
LEVELS = (N_("nvlink"), N_("rack"), N_("row"), N_("hall"))
"""Levels of the topology (Level), for translations."""
BUSY = N_("It needs {count} x ({each}); {free} are free now; {ahead} jobs stand before it")
QUOTA_OF_PROJECT = N_(
    "Its project holds {held_gpu_milli} of a quota of {quota_gpu_milli}, and this job would add {more_gpu_milli}: it starts only from what others "
    "leave idle, and gives it back when they come"
)
QUOTA_OF_ORGANISATION = N_(
    "Its organisation holds {held_gpu_milli} of a quota of {quota_gpu_milli}, and this job would add {more_gpu_milli}: it starts only from what "
    "others leave idle, and gives it back when they come"
)
FAIR_SHARE = N_(
    "Of the GPU time of late its project had {had_ppm}, and {due_ppm} are its share; {before} other projects that wait come first"
)
POWER_LACKS = N_(
    "It has room at {site}, but would add {wanted_mw} to the {reckoned_mw} that its racks may draw already "
    "({rest_mw} of it at rest), and they may draw {cap_mw} (limit: {cause})"
)
POWER_NEVER = N_(
    "It has room at {site}, but would add {wanted_mw} to the {rest_mw} that its racks draw at rest, and they may draw {cap_mw} "
    "(limit: {cause}). It does not start under this cap, whatever else ends"
)
POWER_KEPT = N_("What is left of the power of {site} is kept for a job that stands before it")

LATE = N_("A cap on power broke the promise of its start at {from_at}: as long as it starts too late, up to {free_ms}, it runs uncharged")
RUNS_FREE = N_("It started later than promised, as power was capped: {free_ms} of its run are credited")

POWER_CAUSES = (N_("nothing"), N_("grid connection"), N_("hot day"), N_("cooling permit"), N_("operator"))
"""What limits a site's power (CapCause), for translations."""
CAUSES = (N_("cancel"), N_("budget"), N_("preemption"), N_("drain"), N_("power_cap"), N_("placement"))
"""Why an attempt is asked to stop (StopCause), for translations."""

Values = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Capacity:
    """Cores, memory and GPUs as a value of a sentence, thousandths of a core and of a GPU."""

    cpu_milli: int
    memory_mib: int
    gpu_milli: int

    def __str__(self) -> str:
        """Return them in English."""
        gpus = f", {self.gpu_milli / WHOLE:g} GPUs" if self.gpu_milli else ""
        return f"{self.cpu_milli / 1000:g} cores, {self.memory_mib} MiB{gpus}"


def capacity_of(shape: NodeShape) -> Capacity:
    """Return what one node of a gang needs."""
    return Capacity(shape.cpu_milli, shape.memory_mib, shape.gpus * shape.gpu_milli)


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence as its pattern and its values."""

    pattern: str
    values: Values = field(default_factory=lambda: MappingProxyType({}))

    def __str__(self) -> str:
        """Return the sentence in English."""
        return self.pattern.format(**{name: _plain(name, value) for name, value in self.values.items()})


def _plain(name: str, value: object) -> str:
    if isinstance(value, int) and name.endswith("_micro_eur"):
        return f"{euro_text(value)} EUR"
    if isinstance(value, int) and name.endswith("_ms"):
        return f"{value / 1000:g} s"
    if isinstance(value, int) and name.endswith("_at"):
        return minute_text(value)
    if isinstance(value, int) and name.endswith("_mw"):
        return power_text(value)
    if isinstance(value, int) and name.endswith("_gpu_milli"):
        return f"{value / 1000:,g} GPUs"
    if isinstance(value, int) and name.endswith("_ppm"):
        return f"{value / 10_000:.1f} %"
    return str(value)
