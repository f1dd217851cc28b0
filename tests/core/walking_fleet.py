"""A fleet without indexes, to hold the true one against: it walks over all nodes and keeps its own account of what is taken."""

from dataclasses import dataclass, field

from eisbach.core.capacity.flavours import gpu_model
from eisbach.core.capacity.inventory import is_flavour
from eisbach.core.capacity.topology import Level, domain_of


@dataclass
class WalkingNode:
    """What is held on a node, as lists of shares; everything else is computed from them."""

    node: object
    is_available: bool = True
    dated_ms: int | None = None
    shares: list = field(default_factory=list)

    def room(self, shape) -> int:
        """How many tasks of a shape fit, tried one after the other on what is left."""
        cpu = self.node.cpu_milli - sum(share.cpu_milli for share in self.shares)
        memory = self.node.memory_mib - sum(share.memory_mib for share in self.shares)
        room = cpu // shape.cpu_milli
        if shape.memory_mib:
            room = min(room, memory // shape.memory_mib)
        if not shape.gpus:
            return room
        whole, parts, cut = self._gpus()
        if shape.mig:
            return min(room, sum(self._instances(shape.mig, used) for used in [*cut.values(), *(0 for _ in whole)]))
        if shape.gpu_milli == 1000:
            return min(room, len(whole) // shape.gpus)
        return min(room, sum(left // shape.gpu_milli for left in [*parts.values(), *(1000 for _ in whole)]))

    def _gpus(self):
        whole, parts, cut = set(range(self.node.gpus)), {}, {}
        for share in self.shares:
            for gpu in share.gpus:
                whole.discard(gpu)
                if share.mig:
                    profile = gpu_model(self.node.flavour).profile(share.mig)
                    assert share.slot in profile.starts
                    wanted = set(range(share.slot, share.slot + profile.memory_slices))
                    assert not wanted & cut.setdefault(gpu, set()), "no slice is held twice"
                    cut[gpu] |= wanted
                elif share.gpu_milli < 1000:
                    parts[gpu] = parts.get(gpu, 1000) - share.gpu_milli
                    assert parts[gpu] >= 0
        assert not parts.keys() & cut.keys(), "a GPU is shared or cut, never both"
        return whole, parts, cut

    def _instances(self, name, used):
        model = gpu_model(self.node.flavour)
        profile = model.profile(name) if model is not None else None
        if profile is None:
            return 0
        used, count = set(used) if used else set(), 0
        for start in profile.starts:
            wanted = set(range(start, start + profile.memory_slices))
            if not wanted & used:
                used, count = used | wanted, count + 1
        return count


class WalkingFleet:
    """Answers whether a gang fits, and how tightly, by looking at every node."""

    def __init__(self, nodes) -> None:
        self.nodes = {node.node: WalkingNode(node) for node in nodes}

    def rooms(self, shape, where, level, ends_by):
        """How many tasks each domain of a level holds (None: each site)."""
        rooms: dict[str, int] = {}
        for one in self.nodes.values():
            node = one.node
            is_flavour_right = shape.flavour is None or is_flavour(node.flavour, shape.flavour)
            is_in_time = one.dated_ms is None or (ends_by is not None and ends_by <= one.dated_ms)
            tenants = {share.tenant for share in one.shares}
            if not one.is_available or not is_flavour_right or not is_in_time or not where.allows(node):
                continue
            if not tenants <= {where.tenant}:
                continue
            name = domain_of(node, level) if level is not None else node.site
            rooms[name] = rooms.get(name, 0) + one.room(shape)
        return rooms

    def fits(self, shape, count, where, within, ends_by):
        """Whether a gang fits."""
        level = within.level if within is not None and within.is_required and count > 1 else None
        return any(room >= count for room in self.rooms(shape, where, level, ends_by).values())

    def tightest(self, shape, count, where, ends_by):
        """The place of the tightest level one of whose domains holds the gang; the number of levels where only a site does."""
        for place, level in enumerate(Level):
            if any(room >= count for room in self.rooms(shape, where, level, ends_by).values()):
                return place
        return len(Level)

    def take(self, shares):
        for share in shares:
            self.nodes[share.node].shares.append(share)

    def give_back(self, shares):
        for share in shares:
            self.nodes[share.node].shares.remove(share)
