"""The fleet: all nodes with what is free on them, kept up to date by events."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from eisbach.core.capacity.inventory import Node, is_flavour
from eisbach.core.capacity.topology import domain_of
from eisbach.core.capacity.where import ANYWHERE, Where
from eisbach.core.jobs.request import WHOLE, NodeShape
from eisbach.core.jobs.within import Within
from eisbach.core.vocabulary.invariant import require


class Share(NamedTuple):
    """What one task of a gang holds of one node; `tenant` is for whom the node is dedicated meanwhile, if for anybody.

    It holds `gpu_milli` thousandths of each of `gpus`; `mig` is the profile of its MIG instance, `slot` that one's first
    memory slice.
    """

    rank: int
    node: str
    cpu_milli: int
    memory_mib: int
    gpus: tuple[int, ...]
    tenant: str = ""
    gpu_milli: int = WHOLE
    mig: str = ""
    slot: int = 0


class Fleet:
    """Nodes in a fixed order; shares are taken and given back exactly once."""

    __slots__ = ("nodes",)

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    def add(self, node: Node) -> None:
        """Add a node with everything free."""
        require(node.node not in self.nodes, f"node {node.node} is declared once")
        self.replace(node)

    def replace(self, node: Node) -> None:
        """Put a node with everything free in the place of the one of the same name; a drained one takes no work."""
        node.available = node.available and not node.drained
        node.free_cpu_milli, node.free_memory_mib = node.cpu_milli, node.memory_mib
        node.free_gpus = list(range(node.gpus))
        node.tenant = ""
        self.nodes[node.node] = node

    def sites(self) -> frozenset[str]:
        """Return the sites at which nodes stand."""
        return frozenset(node.site for node in self.nodes.values())

    def usable(self, shape: NodeShape, where: Where = ANYWHERE) -> Iterable[Node]:
        """Yield the nodes that may take this shape there, whether free or not."""
        for node in self.nodes.values():
            if not node.available or node.removed or not where.allows(node):
                continue
            if shape.flavour is None or is_flavour(node.flavour, shape.flavour):
                yield node

    def set_available(self, node: str, is_available: bool, *, is_removed: bool = False) -> None:
        """Say whether a node takes new work (else it keeps what it has), or is no part of the fleet any more."""
        self.nodes[node].available = is_available
        self.nodes[node].removed = is_removed

    def set_dated(self, node: str, from_ms: int | None) -> None:
        """Say from when on a node is spoken for: until then it takes only work that ends by then. None: not at all."""
        self.nodes[node].dated_ms = from_ms

    def free_whole(self, pool: str) -> int:
        """Return how many nodes of a pool take work now and have nothing on them."""
        return sum(
            node.is_idle and node.available and not node.removed for node in self.nodes.values() if node.pool == pool
        )

    def place(
        self,
        shape: NodeShape,
        count: int,
        where: Where = ANYWHERE,
        *,
        within: Within | None = None,
        ends_by: int | None = None,
        among: Iterable[str] | None = None,
    ) -> tuple[Share, ...] | None:
        """Return shares for a gang of `count`, all at one allowed site or none; takes nothing.

        It is the first site in the order of nodes that holds the gang, and as few of its nodes as that order allows.
        A node that is dated is used only for work that ends by its date (`ends_by`; None: nobody knows), or where `among` names
        the nodes to choose from.
        """
        named = frozenset(among) if among is not None else None
        shares_at: dict[str, list[Share]] = {}
        for node in self.usable(shape, where):
            if not where.may_join(node):
                continue
            if named is None:
                if node.dated_ms is not None and (ends_by is None or ends_by > node.dated_ms):
                    continue
            elif node.node not in named:
                continue
            together = domain_of(node, within.level) if within is not None and within.is_required else node.site
            shares = shares_at.setdefault(together, [])
            fitting = min(count - len(shares), _how_many(node, shape))
            for nth in range(fitting):
                gpus = tuple(node.free_gpus[nth * shape.gpus : (nth + 1) * shape.gpus])
                shares.append(
                    Share(len(shares), node.node, shape.cpu_milli, shape.memory_mib, gpus, where.tenant, shape.gpu_milli)
                )
            if len(shares) == count:
                return tuple(shares)
        return None

    def could_ever(
        self, shape: NodeShape, count: int, where: Where = ANYWHERE, *, within: Within | None = None
    ) -> bool:
        """Return whether the gang would fit there if nothing else ran, drained nodes included."""
        nodes = (
            node
            for node in self.nodes.values()
            if not node.removed and where.allows(node) and (shape.flavour is None or is_flavour(node.flavour, shape.flavour))
        )
        return _fit_together(nodes, shape, count, within)

    def could_without_drained(
        self, shape: NodeShape, count: int, where: Where = ANYWHERE, *, within: Within | None = None
    ) -> bool:
        """Return whether the gang would fit there if nothing else ran, on the nodes that take work now."""
        return _fit_together(self.usable(shape, where), shape, count, within)

    def take(self, shares: Sequence[Share]) -> None:
        """Take shares; raise BrokenInvariant where any of it is not free."""
        for share in shares:
            node = self.nodes[share.node]
            require(
                node.free_cpu_milli >= share.cpu_milli and node.free_memory_mib >= share.memory_mib,
                f"no node share is held twice: {share.node} has too little left",
            )
            require(share.tenant == node.tenant or node.is_idle, f"a dedicated node is never shared: {share.node}")
            node.tenant = share.tenant
            node.free_cpu_milli -= share.cpu_milli
            node.free_memory_mib -= share.memory_mib
            for gpu in share.gpus:
                require(gpu in node.free_gpus, f"no GPU is held twice: {share.node} GPU {gpu}")
                node.free_gpus.remove(gpu)

    def give_back(self, shares: Sequence[Share]) -> None:
        """Give shares back; raise BrokenInvariant where they were not taken."""
        for share in shares:
            node = self.nodes[share.node]
            node.free_cpu_milli += share.cpu_milli
            node.free_memory_mib += share.memory_mib
            if share.gpus:
                node.free_gpus = sorted([*node.free_gpus, *share.gpus])
            require(
                node.free_cpu_milli <= node.cpu_milli
                and node.free_memory_mib <= node.memory_mib
                and len(set(node.free_gpus)) == len(node.free_gpus) <= node.gpus,
                f"nothing is given back twice: {share.node}",
            )
            if node.tenant and node.is_idle:
                node.tenant = ""


def _fit_together(nodes: Iterable[Node], shape: NodeShape, count: int, within: Within | None) -> bool:
    fitting: dict[str, int] = {}
    for node in nodes:
        together = domain_of(node, within.level) if within is not None and within.is_required else node.site
        fitting[together] = fitting.get(together, 0) + _how_many_when_idle(node, shape)
        if fitting[together] >= count:
            return True
    return False


def _how_many(node: Node, shape: NodeShape) -> int:
    fits = node.free_cpu_milli // shape.cpu_milli
    if shape.memory_mib:
        fits = min(fits, node.free_memory_mib // shape.memory_mib)
    if shape.gpus:
        fits = min(fits, len(node.free_gpus) // shape.gpus)
    return fits


def _how_many_when_idle(node: Node, shape: NodeShape) -> int:
    fits = node.cpu_milli // shape.cpu_milli
    if shape.memory_mib:
        fits = min(fits, node.memory_mib // shape.memory_mib)
    if shape.gpus:
        fits = min(fits, node.gpus // shape.gpus)
    return fits
