"""What a tenant asks for: the frozen specification of a job."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from eisbach.core.jobs.placement import NO_RULE, PlacementRule
from eisbach.core.jobs.within import Within
from eisbach.core.vocabulary.closed_enum import ClosedEnum

WHOLE: Final = 1000
"""Thousandths of a GPU that are all of it."""


class CapacityClass(ClosedEnum):
    """How a job comes to its capacity."""

    RESERVED = "reserved"
    """inside a booking"""
    ON_DEMAND = "on-demand"
    SPOT = "spot"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeShape:
    """What each node of the gang must offer: one of the alternatives a tenant accepts.

    `flavour` is a flavour's name such as `cpu` or `h200.1`, or None where any will do. `gpu_milli` is what it takes of each of
    its GPUs, in thousandths; below 1000 there is one GPU, shared with others. `mig` names a profile such as `1g.23gb` where
    the part is a slice with walls of its own.
    """

    cpu_milli: int
    memory_mib: int
    gpus: int = 0
    flavour: str | None = None
    gpu_milli: int = WHOLE
    mig: str = ""

    def __hash__(self) -> int:
        """Return a hash of the amounts, without a tuple of them; shapes that differ in words alone are few."""
        return self.cpu_milli ^ self.memory_mib << 8 ^ self.gpus << 24 ^ self.gpu_milli << 28


class CheckpointRule(NamedTuple):
    """How a job is asked to save: signal, time it gets, and the folder (relative to its workspace) that survives."""

    signal: str = "SIGTERM"
    grace_ms: int = 30_000
    path: str = "checkpoints"


class RetryRule(NamedTuple):
    """How often a job is tried when the failure is the customer's own (1 = once, no retry)."""

    max_attempts: int = 1


class JobSpec(NamedTuple):
    """A job as a tenant asked for it: frozen, complete, with every default filled in.

    `nodes` is the number of equal tasks of the gang; `shapes` are acceptable alternatives, best first.
    `workdir` is the archive id of the uploaded working directory (`sha256:<hex>`), None where there is none.
    `data` are pairs of a name in the task and the data set behind it.
    `secrets` are names of the project's stored secrets that become environment variables; values never stand here.
    `placement` is the job's own rule; those of its organisation, project and data sets hold as well. `within` is how near to
    one another its nodes shall be. `booking` is the one that it runs inside, empty without.
    """

    name: str
    nodes: int
    shapes: tuple[NodeShape, ...]
    run: str
    time_limit_ms: int
    setup: str = ""
    workdir: str | None = None
    envs: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()
    data: tuple[tuple[str, str], ...] = ()
    checkpoint: CheckpointRule = CheckpointRule()
    retry: RetryRule = RetryRule()
    outputs: tuple[str, ...] = ()
    capacity_class: CapacityClass = CapacityClass.ON_DEMAND
    placement: PlacementRule = NO_RULE
    within: Within | None = None
    booking: str = ""
