"""Taking a share from a node and giving it back: each exactly once, or the program stops."""

from functools import lru_cache
from typing import NoReturn

from eisbach.core.capacity.fit import slices_of
from eisbach.core.capacity.inventory import Node
from eisbach.core.capacity.share import Share
from eisbach.core.jobs.request import WHOLE
from eisbach.core.vocabulary.invariant import BrokenInvariant


def take_from(node: Node, share: Share) -> None:
    """Take a share; raise BrokenInvariant where any of it is not free."""
    _, _, cpu_milli, memory_mib, gpus, tenant, gpu_milli, mig, slot = share
    if node.free_cpu_milli < cpu_milli or node.free_memory_mib < memory_mib:
        _broken(f"no node share is held twice: {node.node} has too little left")
    if tenant != node.tenant:
        if not node.is_idle:
            _broken(f"a dedicated node is never shared: {node.node}")
        node.tenant = tenant
    if gpus:
        if gpu_milli == WHOLE and not mig:
            mask = gpu_mask(gpus)
            if node.free_mask & mask != mask:
                _broken(f"no GPU is held twice: {node.node} GPU {_first(mask & ~node.free_mask)}")
            node.free_mask ^= mask
        else:
            slices = slices_of(node.flavour, mig, slot) if mig else 0
            if mig and not slices:
                _broken(f"a GPU is cut as its maker lets it: {node.node} GPU {gpus[0]} has no {mig} from slice {slot} on")
            _take_part(node, gpus[0], gpu_milli, slices)
    node.free_cpu_milli -= cpu_milli
    node.free_memory_mib -= memory_mib


def give_to(node: Node, share: Share) -> None:
    """Give a share back; raise BrokenInvariant where it was not taken."""
    _, _, cpu_milli, memory_mib, gpus, _, gpu_milli, mig, slot = share
    free_cpu_milli, free_memory_mib = node.free_cpu_milli + cpu_milli, node.free_memory_mib + memory_mib
    if free_cpu_milli > node.cpu_milli or free_memory_mib > node.memory_mib:
        _broken(f"nothing is given back twice: {node.node}")
    if gpus:
        if gpu_milli == WHOLE and not mig:
            mask = gpu_mask(gpus)
            if node.free_mask & mask or mask >> node.gpus or (node.parts and any(gpu in node.parts for gpu in gpus)):
                _broken(f"nothing is given back twice: {node.node}")
            node.free_mask |= mask
        else:
            _give_part(node, gpus[0], gpu_milli, slices_of(node.flavour, mig, slot))
    node.free_cpu_milli, node.free_memory_mib = free_cpu_milli, free_memory_mib
    if node.tenant and node.is_idle:
        node.tenant = ""


@lru_cache(maxsize=4096)
def gpu_mask(gpus: tuple[int, ...]) -> int:
    """Return the bits of some GPUs; raise BrokenInvariant where one is named twice."""
    mask = sum(1 << gpu for gpu in set(gpus))
    if mask.bit_count() != len(gpus):
        _broken("no GPU is named twice in a share")
    return mask


def _take_part(node: Node, gpu: int, gpu_milli: int, slices: int) -> None:
    """Take thousandths of a GPU, or (`slices` being their mask) slices of one; a GPU is never both shared and cut."""
    left = WHOLE if node.free_mask >> gpu & 1 else node.parts.get(gpu, 0)
    if slices:
        used = 0 if left == WHOLE else -left
        if left == 0 or used < 0 or used & slices:
            _broken(f"no slice of a GPU is held twice: {node.node} GPU {gpu}")
        node.parts[gpu] = -(used | slices)
    else:
        if left < gpu_milli:
            _broken(f"no GPU is held twice: {node.node} GPU {gpu}")
        node.parts[gpu] = left - gpu_milli
    node.free_mask &= ~(1 << gpu)


def _give_part(node: Node, gpu: int, gpu_milli: int, slices: int) -> None:
    left = node.parts.get(gpu)
    if left is None:
        _broken(f"nothing is given back twice: {node.node} GPU {gpu}")
    if slices:
        used = -left
        if used < 0 or used & slices != slices:
            _broken(f"nothing is given back twice: {node.node} GPU {gpu}")
        rest = -(used ^ slices) or WHOLE
    else:
        rest = left + gpu_milli
        if left < 0 or rest > WHOLE:
            _broken(f"nothing is given back twice: {node.node} GPU {gpu}")
    if rest == WHOLE:
        del node.parts[gpu]
        node.free_mask |= 1 << gpu
    else:
        node.parts[gpu] = rest


def _first(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _broken(invariant: str) -> NoReturn:
    raise BrokenInvariant(invariant)
