"""Whether and how a task fits a node: cores, memory, whole GPUs, thousandths of one, slices of one.

What is free on a node is a value, so that equal nodes share one answer. A GPU that is partly taken is one number: what is
left of it in thousandths, or, where it is cut into MIG instances, less the bit mask of the memory slices they take.
"""

from functools import lru_cache, partial
from typing import Final, NamedTuple

from eisbach.core.capacity.flavours import MigProfile, gpu_model
from eisbach.core.jobs.request import WHOLE, NodeShape
from eisbach.core.vocabulary.invariant import require


class Kind(NamedTuple):
    """What equal nodes offer when nothing is on them."""

    flavour: str
    cpu_milli: int
    memory_mib: int
    gpus: int


class NodeState(NamedTuple):
    """What is free on a node: `gpus` whole ones, and in ascending order what is left of those partly taken."""

    cpu_milli: int
    memory_mib: int
    gpus: int
    parts: tuple[int, ...] = ()


state_of_fields: Final = partial(tuple.__new__, NodeState)
"""Returns the state of all its fields, given as one tuple: without a constructor in Python, as it is asked for with each change of a node."""


def left_milli(flavour: str, left: int) -> int:
    """Return the thousandths that are left of a GPU that is partly taken; of one that is cut, by the memory slices nobody has."""
    if left >= 0:
        return left
    model = gpu_model(flavour)
    require(model is not None and model.memory_slices > 0, f"a GPU of {flavour} is never cut")
    assert model is not None
    return WHOLE - (-left).bit_count() * WHOLE // model.memory_slices


def idle_state(kind: Kind) -> NodeState:
    """Return what is free on a node of this kind with nothing on it."""
    return NodeState(kind.cpu_milli, kind.memory_mib, kind.gpus)


def free_of(state: NodeState) -> tuple[int, int, int]:
    """Return what is free on a node: thousandths of a core, MiB, thousandths of a GPU; what MIG leaves of one is nobody's but MIG's."""
    return state.cpu_milli, state.memory_mib, state.gpus * WHOLE + sum(left for left in state.parts if left > 0)


def how_many(kind: Kind, state: NodeState, shape: NodeShape) -> int:
    """Return how many tasks of a shape fit at once, 0 where a slice is asked for that the GPU is never cut into."""
    cpu_milli, memory_mib, gpus, parts = state
    fits = cpu_milli // shape.cpu_milli if shape.cpu_milli else _NO_LIMIT
    if shape.memory_mib:
        fits = min(fits, memory_mib // shape.memory_mib)
    if not shape.gpus or not fits:
        return fits
    if shape.mig:
        return min(fits, _slices(kind.flavour, gpus, parts, shape.mig))
    if shape.gpu_milli == WHOLE:
        return min(fits, gpus // shape.gpus)
    of_parts = sum(left // shape.gpu_milli for left in parts if left > 0)
    return min(fits, of_parts + gpus * (WHOLE // shape.gpu_milli))


def gpus_to_choose(kind: Kind, state: NodeState, shape: NodeShape) -> tuple[int, ...]:
    """Return which GPUs a task could take, by what is left of them (WHOLE: all of it); empty where it does not fit.

    A task without GPUs, and one of whole GPUs, has the one choice WHOLE.
    """
    cpu_milli, memory_mib, gpus, parts = state
    if shape.cpu_milli > cpu_milli or shape.memory_mib > memory_mib:
        return ()
    if shape.gpu_milli == WHOLE and not shape.mig:
        return (WHOLE,) if shape.gpus <= gpus else ()
    if not shape.mig:
        wanted = shape.gpu_milli
        choices = tuple(dict.fromkeys(left for left in parts if left >= wanted))
    else:
        choices = tuple(dict.fromkeys(left for left in parts if left < 0 and mig_start(kind.flavour, shape.mig, -left) is not None))
        if gpus and mig_start(kind.flavour, shape.mig, 0) is None:
            return ()
    return (*choices, WHOLE) if gpus else choices


def after(kind: Kind, state: NodeState, shape: NodeShape, left: int) -> NodeState:
    """Return what is free once a task has taken the GPU of which `left` is left, one of `gpus_to_choose`."""
    cpu_milli, memory_mib, gpus, parts = state
    cpu_milli, memory_mib = cpu_milli - shape.cpu_milli, memory_mib - shape.memory_mib
    if not shape.gpus or (shape.gpu_milli == WHOLE and not shape.mig):
        return NodeState(cpu_milli, memory_mib, gpus - shape.gpus, parts)
    others = list(parts)
    if left == WHOLE:
        gpus -= 1
    else:
        others.remove(left)
    rest = taken_from(kind.flavour, left, shape)
    if rest:
        others.append(rest)
        others.sort()
    return NodeState(cpu_milli, memory_mib, gpus, tuple(others))


def taken_from(flavour: str, left: int, shape: NodeShape) -> int:
    """Return what is left of a GPU once a task has taken its part: thousandths, or less the mask of MIG's slices."""
    if not shape.mig:
        return left - shape.gpu_milli
    used = 0 if left == WHOLE else -left
    start = mig_start(flavour, shape.mig, used)
    return left if start is None else -(used | slices_of(flavour, shape.mig, start))


@lru_cache(maxsize=4096)
def mig_start(flavour: str, profile: str, used: int) -> int | None:
    """Return the memory slice at which an instance shall begin where the slices `used` are taken; None where it cannot.

    Of the places that NVIDIA allows it is the one after which most others remain, weighed by their memory; the last of equals.
    """
    wanted = mig_profile(flavour, profile)
    model = gpu_model(flavour)
    if wanted is None or model is None:
        return None
    best: tuple[int, int] | None = None
    for start in wanted.starts:
        mine = _mask(wanted, start)
        if used & mine:
            continue
        remaining = sum(
            one.memory_slices
            for one in model.mig
            for other in one.starts
            if not _mask(one, other) & (used | mine)
        )
        best = max(best, (remaining, start)) if best is not None else (remaining, start)
    return best[1] if best is not None else None


def slices_of(flavour: str, profile: str, start: int) -> int:
    """Return the bit mask of the memory slices that an instance takes from `start` on; 0 for a profile that is none, or begins elsewhere."""
    wanted = mig_profile(flavour, profile)
    return _mask(wanted, start) if wanted is not None and start in wanted.starts else 0


def mig_profile(flavour: str, profile: str) -> MigProfile | None:
    """Return a flavour's MIG profile, None where its GPU is not cut like that."""
    model = gpu_model(flavour)
    return model.profile(profile) if model is not None else None


def slice_milli(flavour: str, profile: str) -> int:
    """Return which part of a GPU a slice is in thousandths, by its compute slices: rounded down, so that all slices of a GPU
    together are never more than it, and less than a whole one; 0 for a profile that the flavour does not have."""
    model, wanted = gpu_model(flavour), mig_profile(flavour, profile)
    if model is None or wanted is None:
        return 0
    return min(WHOLE - 1, WHOLE // model.compute_slices * wanted.compute_slices)


_NO_LIMIT: Final = 1 << 30


def _mask(profile: MigProfile, start: int) -> int:
    return ((1 << profile.memory_slices) - 1) << start


def _slices(flavour: str, gpus: int, parts: tuple[int, ...], profile: str) -> int:
    cut = sum(_instances(flavour, profile, -left) for left in parts if left < 0)
    return cut + gpus * _instances(flavour, profile, 0)


@lru_cache(maxsize=4096)
def _instances(flavour: str, profile: str, used: int) -> int:
    """Return how many more instances of a profile one GPU holds."""
    count = 0
    while (start := mig_start(flavour, profile, used)) is not None:
        used |= slices_of(flavour, profile, start)
        count += 1
    return count
