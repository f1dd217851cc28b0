"""Nodes as facts: what each offers, and whether it may be used."""

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Node:
    """A node: its place, what it offers, and how much of that is free now.

    `gpus` is a count, `free_gpus` the ascending indices of the free ones. A drained node takes nothing new;
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
    free_gpus: list[int] = field(default_factory=list)
    tenant: str = ""
    dated_ms: int | None = None

    @property
    def is_idle(self) -> bool:
        """Return whether nothing is placed on it."""
        return (
            self.free_cpu_milli == self.cpu_milli
            and self.free_memory_mib == self.memory_mib
            and len(self.free_gpus) == self.gpus
        )


def is_flavour(flavour: str, wanted: str) -> bool:
    """Return whether a flavour such as `h200.8` is what was asked for: by its own name or by its accelerator's."""
    wanted = wanted.lower()
    flavour = flavour.lower()
    return flavour == wanted or flavour.partition(".")[0] == wanted
