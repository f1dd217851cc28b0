"""Nodes as facts: what each offers, and whether it may be used."""

from dataclasses import dataclass, field

from eisbach.core.capacity.fit import Kind, NodeState, left_milli, state_of_fields
from eisbach.core.jobs.request import WHOLE


@dataclass(slots=True, kw_only=True)
class Node:
    """A node: its place, what it offers, and how much of that is free now.

    `gpus` is a count, `free_mask` has a bit for each GPU that is wholly free, `parts` says by index what is left of those that
    are partly taken (core/capacity/fit.py; no entry where all of it is free, or one task has all of it). A drained node takes nothing new;
    `drained_by` says on whose word; `available` is false for every reason why it takes nothing now. `hall`, `row` and `rack`
    are empty where nobody said them; `nvlink` names the NVLink domain that it shares with other nodes, empty where that ends
    at the node itself. Before `from_ms` it is not there yet. `tenant` is for whom alone it works while something dedicated
    is on it. `dated_ms` is the start of its earliest entry in the calendar.
    """

    node: str
    pool: str
    site: str
    flavour: str
    cpu_milli: int
    memory_mib: int
    gpus: int
    hall: str = ""
    row: str = ""
    rack: str = ""
    nvlink: str = ""
    from_ms: int = 0
    drained: bool = False
    drained_by: str = ""
    removed: bool = False
    available: bool = True
    free_cpu_milli: int = 0
    free_memory_mib: int = 0
    free_mask: int = 0
    parts: dict[int, int] = field(default_factory=dict)
    tenant: str = ""
    dated_ms: int | None = None

    @property
    def is_idle(self) -> bool:
        """Return whether nothing is placed on it."""
        return (
            self.free_cpu_milli == self.cpu_milli
            and self.free_memory_mib == self.memory_mib
            and self.free_mask == (1 << self.gpus) - 1
        )

    @property
    def kind(self) -> Kind:
        """Return what it shares with nodes that are equal to it."""
        return Kind(self.flavour, self.cpu_milli, self.memory_mib, self.gpus)

    @property
    def state(self) -> NodeState:
        """Return what is free on it, as a value."""
        return state_of(self)

    @property
    def free_gpus(self) -> list[int]:
        """Return the indices of the GPUs that are wholly free, ascending."""
        return [gpu for gpu in range(self.gpus) if self.free_mask >> gpu & 1]

    @property
    def held_gpu_milli(self) -> int:
        """Return how many thousandths of its GPUs are held; of one cut into MIG instances the share of memory slices."""
        if not self.parts:
            return (self.gpus - self.free_mask.bit_count()) * WHOLE
        left = sum(left_milli(self.flavour, one) for one in self.parts.values())
        return (self.gpus - self.free_mask.bit_count()) * WHOLE - left

    def clear(self) -> None:
        """Make everything free."""
        self.free_cpu_milli, self.free_memory_mib = self.cpu_milli, self.memory_mib
        self.free_mask, self.parts, self.tenant = (1 << self.gpus) - 1, {}, ""


def state_of(node: Node) -> NodeState:
    """Return what is free on a node, as a value: what its property says, for those who ask at every step."""
    parts = tuple(sorted(left for left in node.parts.values() if left)) if node.parts else ()
    return state_of_fields((node.free_cpu_milli, node.free_memory_mib, node.free_mask.bit_count(), parts))


def is_flavour(flavour: str, wanted: str) -> bool:
    """Return whether a flavour such as `h200.8` is what was asked for: by its own name or by its accelerator's."""
    wanted = wanted.lower()
    flavour = flavour.lower()
    return flavour == wanted or flavour.partition(".")[0] == wanted
