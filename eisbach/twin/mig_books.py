"""The books of GPUs that are shared out: which slices of which are held, against what NVIDIA's tables say can be cut (DESIGN, invariant 1).

Only the facts of core/capacity/flavours.py are asked, nothing that places or counts.
"""

from collections.abc import Iterable, Iterator

from eisbach.core.capacity.flavours import gpu_model

Part = tuple[str, int]
"""The profile of a MIG instance and the memory slice at which it begins; no profile for thousandths of a GPU."""
Place = tuple[str, int]
"""A node and one of its GPUs."""


class MigBooks:
    """Which attempt holds which part of which GPU."""

    def __init__(self) -> None:
        self._on: dict[Place, dict[tuple[str, int], Part]] = {}
        self._of: dict[str, list[tuple[Place, int]]] = {}

    def planned(self, attempt: str, parts: Iterable[tuple[Place, str, Part]]) -> Iterator[str]:
        """Take what the tasks of an attempt hold: of which GPU, of which flavour, which part. Yield what that breaks."""
        for rank, (place, flavour, part) in enumerate(parts):
            others = self._on.setdefault(place, {})
            yield from _wrong(place, flavour, part, others)
            others[attempt, rank] = part
            self._of.setdefault(attempt, []).append((place, rank))

    def ended(self, attempt: str) -> None:
        """An attempt holds nothing any more."""
        for place, rank in self._of.pop(attempt, ()):
            del self._on[place][attempt, rank]


def _wrong(place: Place, flavour: str, part: Part, others: dict[tuple[str, int], Part]) -> Iterator[str]:
    node, gpu = place
    profile, start = part
    named = f"GPU {gpu} of {node}"
    if any(bool(other) != bool(profile) for other, _ in others.values()):
        yield f"1: {named} is cut into slices and shared in thousandths at once"
    if not profile:
        return
    model = gpu_model(flavour)
    known = {one.name: one for one in model.mig} if model is not None else {}
    mine = known.get(profile)
    if model is None or mine is None or start not in mine.starts:
        yield f"1: {named} is held as {profile} from slice {start} on, and a GPU of {flavour} is never cut like that"
        return
    held = [(name, at) for (name, at) in others.values() if name in known]
    for name, at in held:
        if at < start + mine.memory_slices and start < at + known[name].memory_slices:
            yield f"1: {named} is held twice: {profile} from slice {start} on and {name} from slice {at} on"
    cut = mine.compute_slices + sum(known[name].compute_slices for name, _ in held)
    if cut > model.compute_slices:
        yield f"1: {cut} compute slices of {named} are held, and it has {model.compute_slices}"
