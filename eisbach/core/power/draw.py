"""What a node draws by its load, in milliwatt: a modelled figure, calibrated on measured servers.

Sources. Curve and idle share: 8-GPU A100 servers of Seren (InternLM/AcmeTrace at 6d6ac9c, CC-BY-4.0; Hu et al., NSDI
2024), fitted by `scripts/calibrate_draw.py`: 1,600 W idle, 5,572 W at full activity, 6,554 W the highest measured. CPU
servers: the same data, 522 W idle and 960 W at most, with 128 threads each. Ratings of systems: data sheets of their
maker (DGX B200 14.3 kW, DGX H100 and H200 10.2 kW, DGX A100 6.5 kW; RTX PRO 6000 600 W a card).
docs/energy.md says how wrong the model may be.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from eisbach.core.capacity.inventory import Node

CURVE: Final[Sequence[tuple[int, int]]] = ((0, 0), (450, 181), (600, 352), (730, 668), (850, 888), (1000, 1000))
"""(activity, draw above idle) of accelerators, both in thousandths; straight between the points."""
IDLE_PERMILLE: Final = 244
"""1,600 of 6,554 W: what a GPU server draws at rest, of the most it may draw."""
BUSY_PERMILLE: Final = 850
"""5,572 of 6,554 W: what a GPU server draws at full activity; the rest of its rating are short peaks."""
ACTIVITY_ASSUMED: Final = 622
"""Mean activity of busy GPUs in Seren, in thousandths: what is assumed of accelerators that nobody measures."""
HOST_PERMILLE: Final = 100
"""Share of what a GPU server draws above idle that goes by its cores: an assumption."""
HOST_IDLE_PERMILLE: Final = 700
"""Share of a GPU server's idle that is not its accelerators': those of Seren draw 8 x 60 W of 1,600 W at rest."""
SYSTEM_PER_CARD: Final = 1788
"""14.3 kW of a DGX B200 over the 8 x 1,000 W of its cards, in thousandths: for systems whose rating nobody states."""

CPU_IDLE_MW: Final = 4_078
CPU_RATED_MW: Final = 7_500
"""A core that the operating system counts (a thread): 522 and 960 W over 128."""

RATED_PER_GPU_MW: Final = {
    "b200": 14_300_000 // 8,
    "h200": 10_200_000 // 8,
    "h100": 10_200_000 // 8,
    "a100": 6_554_000 // 8,
    "rtxpro6000": 600 * SYSTEM_PER_CARD,
}
RATED_PER_UNKNOWN_GPU_MW: Final = 400 * SYSTEM_PER_CARD
"""An accelerator we know nothing of counts as one of 400 W."""


class Rating(NamedTuple):
    """What a node draws: at rest, at full activity, and at most (what a cap reckons with); in milliwatt.

    `host_permille` is the part above idle that goes by the cores in use, `host_idle_mw` the part at rest that is not the
    accelerators'; the rest is theirs.
    """

    idle_mw: int
    busy_mw: int
    rated_mw: int
    host_permille: int
    host_idle_mw: int


def power_text(mw: int) -> str:
    """Return milliwatt as people read them: kilowatt, or watt below one."""
    return f"{mw / 1_000_000:,.2f} kW" if mw >= 1_000_000 else f"{mw / 1000:.2f} W"


@lru_cache(maxsize=1024)
def rating_of(flavour: str, cpu_milli: int, gpus: int) -> Rating:
    """Return the modelled rating of a node of this flavour with so many thousandths of a core and so many GPUs."""
    if not gpus:
        idle, rated = CPU_IDLE_MW * cpu_milli // 1000, CPU_RATED_MW * cpu_milli // 1000
        return Rating(idle, rated, rated, 1000, idle)
    accelerator = flavour.lower().partition(".")[0]
    rated = RATED_PER_GPU_MW.get(accelerator, RATED_PER_UNKNOWN_GPU_MW) * gpus
    idle = rated * IDLE_PERMILLE // 1000
    return Rating(idle, rated * BUSY_PERMILLE // 1000, rated, HOST_PERMILLE, idle * HOST_IDLE_PERMILLE // 1000)


def rating_of_node(node: Node) -> Rating:
    """Return the modelled rating of a node of the fleet."""
    return rating_of(node.flavour, node.cpu_milli, node.gpus)


def curve(activity_permille: int) -> int:
    """Return what accelerators draw above idle at an activity, both in thousandths."""
    asked = min(1000, max(0, activity_permille))
    for (low, low_draw), (high, high_draw) in pairwise(CURVE):
        if asked <= high:
            return low_draw + (high_draw - low_draw) * (asked - low) // (high - low)
    return CURVE[-1][1]


def active_mw(rating: Rating, *, cores_permille: int, gpus_permille: int, activity_permille: int) -> tuple[int, int]:
    """Return what work draws on a node above idle: its cores, and its accelerators.

    `cores_permille` is the mean use of all the node's cores, `gpus_permille` the share of its accelerators that the work
    holds, `activity_permille` how active those are.
    """
    above = rating.busy_mw - rating.idle_mw
    host = above * rating.host_permille * min(1000, cores_permille) // 1_000_000
    accelerators = above * (1000 - rating.host_permille) * gpus_permille * curve(activity_permille)
    return host, accelerators // 1_000_000_000


def reserved_mw(rating: Rating, *, cores_permille: int, gpus_permille: int) -> int:
    """Return what a cap reckons with for work that holds these shares of a node: all of it at its rating."""
    above = rating.rated_mw - rating.idle_mw
    return -(-above * (rating.host_permille * cores_permille + (1000 - rating.host_permille) * gpus_permille) // 1_000_000)


def share_permille(rating: Rating, *, cores_permille: int, gpus_permille: int) -> int:
    """Return which part of a node work holds, in thousandths: what its share of the node's idle goes by."""
    return (rating.host_permille * cores_permille + (1000 - rating.host_permille) * gpus_permille) // 1000
