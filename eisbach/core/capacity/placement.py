"""From what a search finds to shares: which GPUs of which nodes each task of a gang gets."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from eisbach.core.capacity.fit import how_many, mig_start
from eisbach.core.capacity.holding import give_to, take_from
from eisbach.core.capacity.inventory import Node
from eisbach.core.capacity.pool import Pool
from eisbach.core.capacity.ranking import Ranking
from eisbach.core.capacity.search import Ask, Found, Limits, Offer, find_one, find_vacant, tightest_domain
from eisbach.core.capacity.share import Share, share_of_fields
from eisbach.core.capacity.topology import Level, domain_of
from eisbach.core.jobs.request import WHOLE, NodeShape


class Holder(Protocol):
    """What takes shares and gives them back: a gang whose tasks share nodes is placed task by task, and taken away again."""

    ranking: Ranking

    def take(self, shares: Sequence[Share]) -> None:
        """Take shares."""

    def give_back(self, shares: Sequence[Share]) -> None:
        """Give shares back."""


def place_at(holder: Holder, offer: Offer, ask: Ask, *, needs_idle: bool) -> tuple[Share, ...] | None:
    """Return shares for a gang in the pools of one site, or None where what is free there is too far apart.

    The pools hold it (`Offer.reach`); `needs_idle` is what the offer says of itself.
    """
    pools = offer.pools
    if needs_idle or (ask.tasks > 1 and offer.is_single):
        found = find_vacant(pools, ask)
        if found is not None:
            return _on_whole_nodes(found, ask)
        if needs_idle:
            return None
    if ask.tasks == 1:
        one = find_one(pools, ask, holder.ranking)
        return (share_of(one[0].tree.nodes[one[1]], 0, ask.shape, ask.tenant, one[2]),) if one is not None else None
    limits: Limits | None = None
    if ask.within is not None:
        levels = list(Level)
        for level in levels[levels.index(ask.within.level) :] if not ask.within.is_required else (ask.within.level,):
            limits = tightest_domain(pools, ask, level)
            if limits is not None:
                break
        if limits is None and ask.within.is_required:
            return None
    return _one_by_one(holder, pools, ask, limits)


def on_first_idle(pools: Sequence[Pool], shape: NodeShape, tenant: str, ends_by: int) -> Share | None:
    """Return the share of a single task that needs a node of its own, in the first pool that has one: of the soonest date there."""
    for pool in pools:
        vacant = pool.first_vacant(ends_by)
        if vacant is not None:
            return share_of(vacant.first(), 0, shape, tenant, WHOLE)
    return None


def _on_whole_nodes(found: Sequence[Found], ask: Ask) -> tuple[Share, ...]:
    shape, tenant = ask.shape, ask.tenant
    shares: list[Share] = []
    for pool, pick in found:
        tree = pool.tree
        nodes = tree.nodes
        numbers = [number for leaf, bits in sorted(pick) for number in tree.numbers_in(leaf, bits)]
        # Idle nodes of a pool are alike, and so is what a task gets of them.
        _, _, *alike = share_of(nodes[numbers[0]], 0, shape, tenant, WHOLE)
        shares += [share_of_fields((rank, nodes[number].node, *alike)) for rank, number in enumerate(numbers, len(shares))]
    return tuple(shares)


def _one_by_one(holder: Holder, pools: Sequence[Pool], ask: Ask, limits: Limits | None) -> tuple[Share, ...] | None:
    shares: list[Share] = []
    for rank in range(ask.tasks):
        one = find_one(pools, ask, holder.ranking, limits)
        if one is None:
            break
        share = share_of(one[0].tree.nodes[one[1]], rank, ask.shape, ask.tenant, one[2])
        holder.take((share,))
        shares.append(share)
    holder.give_back(shares)
    return tuple(shares) if len(shares) == ask.tasks else None


def place_among(nodes: Sequence[Node], ask: Ask, ranking: Ranking) -> tuple[Share, ...] | None:
    """Return shares for a gang on these nodes, each of which holds a task of it: as near together as it wishes, the best node first.

    The first site that holds it, and there the tightest domain, as everywhere else; None where what it requires is not there.
    """
    by_site: dict[str, list[Node]] = {}
    for node in nodes:
        by_site.setdefault(node.site, []).append(node)
    for at_site in by_site.values():
        group = _together(at_site, ask)
        if group is not None:
            costs = [ranking.answer(node.kind, ask.shape, node.state) or (0, 0) for node in group]
            ranked = sorted(range(len(group)), key=lambda at: (costs[at], at))
            return tuple(_filled([group[at] for at in ranked], ask, ranking))
    return None


def _together(nodes: Sequence[Node], ask: Ask) -> Sequence[Node] | None:
    """Return the nodes of the tightest domain that holds a gang, and of equally tight ones that holds least besides."""
    rooms = [how_many(node.kind, node.state, ask.shape) for node in nodes]
    if sum(rooms) < ask.tasks:
        return None
    for level in _levels_of(ask, is_whole=max(rooms) == 1):
        in_domain: dict[str, list[int]] = {}
        for at, node in enumerate(nodes):
            in_domain.setdefault(domain_of(node, level), []).append(at)
        fitting = [one for one in in_domain.values() if sum(rooms[at] for at in one) >= ask.tasks]
        if fitting:
            return [nodes[at] for at in min(fitting, key=lambda one: sum(rooms[at] for at in one))]
    return nodes if ask.required is None else None


def _levels_of(ask: Ask, *, is_whole: bool) -> Sequence[Level]:
    """Return the levels at which a gang looks for a domain, in order: where each node holds one task of it, from the tightest on."""
    levels = tuple(Level)
    if ask.tasks == 1 or (ask.within is None and not is_whole):
        return ()
    wished = levels.index(ask.within.level) if ask.within is not None else 0
    return levels[0 if is_whole else wished : wished + 1 if ask.required is not None else None]


def _filled(nodes: Sequence[Node], ask: Ask, ranking: Ranking) -> list[Share]:
    """Return shares that fill nodes one after the other; what is tried on a node is taken away again."""
    shares: list[Share] = []
    for node in nodes:
        tried: list[Share] = []
        while len(shares) < ask.tasks:
            answer = ranking.answer(node.kind, ask.shape, node.state)
            if answer is None:
                break
            share = share_of(node, len(shares), ask.shape, ask.tenant, answer[1])
            take_from(node, share)
            tried.append(share)
            shares.append(share)
        for share in reversed(tried):
            give_to(node, share)
    return shares


def share_of(node: Node, rank: int, shape: NodeShape, tenant: str, left: int) -> Share:
    """Return the share of a task on a node that holds it, on a GPU of which `left` is left (WHOLE: on whole ones, or a new one)."""
    cpu_milli, memory_mib, gpu_milli, mig = shape.cpu_milli, shape.memory_mib, shape.gpu_milli, shape.mig
    if not shape.gpus:
        return share_of_fields((rank, node.node, cpu_milli, memory_mib, (), tenant, WHOLE, "", 0))
    if gpu_milli == WHOLE and not mig:
        gpus = _lowest_gpus(node.free_mask, shape.gpus)
        return share_of_fields((rank, node.node, cpu_milli, memory_mib, gpus, tenant, WHOLE, "", 0))
    gpu = _gpu_with(node, left)
    slot = (mig_start(node.flavour, mig, 0 if left == WHOLE else -left) or 0) if mig else 0
    return share_of_fields((rank, node.node, cpu_milli, memory_mib, (gpu,), tenant, gpu_milli, mig, slot))


def _gpu_with(node: Node, left: int) -> int:
    """Return the first GPU of a node of which so much is left."""
    if left == WHOLE:
        return (node.free_mask & -node.free_mask).bit_length() - 1
    return min(gpu for gpu, rest in node.parts.items() if rest == left)


@lru_cache(maxsize=4096)
def _lowest_gpus(mask: int, count: int) -> tuple[int, ...]:
    return tuple(gpu for gpu in range(mask.bit_length()) if mask >> gpu & 1)[:count]
