"""The fleet: all nodes with what is free on them, and indexes over them that events keep up to date.

No question walks over the nodes: a pool knows its idle nodes by domain and the others by what is free on them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from eisbach.core.capacity.fit import Kind, how_many
from eisbach.core.capacity.holding import give_to, take_from
from eisbach.core.capacity.inventory import Node, is_flavour
from eisbach.core.capacity.placement import on_first_idle, place_among, place_at
from eisbach.core.capacity.pool import NEVER, UNDATED, Pool
from eisbach.core.capacity.ranking import Ranking
from eisbach.core.capacity.search import Ask, Asked, Offer, rooms
from eisbach.core.capacity.share import Share as Share
from eisbach.core.capacity.topology import Level, Within, domain_of
from eisbach.core.capacity.where import ANYWHERE, Where
from eisbach.core.jobs.request import NodeShape
from eisbach.core.vocabulary.invariant import require

QUESTIONS_MAX: Final = 4096
"""Shapes, and questions whether they could ever fit, whose answers are remembered."""
_FEW: Final = 3
"""Shares that are sooner taken one by one than put together first."""

PoolKey = tuple[str, str, Kind]
"""Site, name and kind of node: where nodes of one pool differ, they are several here."""


class Fleet:
    """Nodes in a fixed order; shares are taken and given back exactly once. `ranking` says which node suits a task best."""

    __slots__ = ("_as_of", "_could", "_domains", "_keys", "_offering", "_pools", "_seats", "_stale", "_standing", "changes", "closed", "nodes", "ranking", "seat_of")

    def __init__(self, ranking: Ranking | None = None) -> None:
        self.nodes: dict[str, Node] = {}
        self.ranking = ranking if ranking is not None else Ranking()
        self.closed: set[str] = set()
        """nodes that take no work now"""
        self.changes = 0
        """how often nodes came, went, or changed what they are"""
        self._keys: dict[PoolKey, list[str]] = {}
        self._pools: dict[PoolKey, Pool] = {}
        self._seats: dict[str, tuple[Pool, int]] = {}
        self.seat_of = self._seats.get
        """node -> the index in which it stands, and its number there; None before its pool's index was made"""
        self._stale: set[PoolKey] = set()
        self._offering: dict[int, tuple[NodeShape, Sequence[Offer]]] = {}
        """identity of a shape -> the shape, which so stays, and its offers"""
        self._as_of = object()
        """another one after each change of nodes that changes offers"""
        self._could: dict[object, bool] = {}
        self._domains: dict[tuple[Pool, Level | None, bool], dict[str, int]] = {}
        self._standing: dict[Level, dict[str, str]] = {}

    def add(self, node: Node) -> None:
        """Add a node with everything free."""
        require(node.node not in self.nodes, f"node {node.node} is declared once")
        self.replace(node)

    def replace(self, node: Node) -> None:
        """Put a node with everything free in the place of the one of the same name; a drained one takes no work."""
        node.clear()
        node.available = node.available and not node.drained
        before = self.nodes.get(node.node)
        self.nodes[node.node] = node
        self._note_closed(node)
        if before is not None:
            self._forget(_key(before))
            self._keys[_key(before)].remove(node.node)
        self._forget(_key(node))
        self._keys.setdefault(_key(node), []).append(node.node)

    def set_available(self, node: str, is_available: bool, *, is_removed: bool = False) -> None:
        """Say whether a node takes new work (else it keeps what it has), or is no part of the fleet any more."""
        known = self.nodes[node]
        seat = self._seats.get(node)
        if seat is not None:
            seat[0].drop((seat[1],))
        self.changes += known.removed != is_removed
        known.available, known.removed = is_available, is_removed
        self._note_closed(known)
        if seat is not None:
            seat[0].put((seat[1],))
        self._could.clear()
        self._domains.clear()

    def set_dated(self, node: str, from_ms: int | None) -> None:
        """Say from when on a node is spoken for: until then it takes only work that ends by then. None: not at all."""
        known, seat = self.nodes[node], self._seats.get(node)
        if known.dated_ms == from_ms:
            return
        if seat is not None:
            seat[0].drop((seat[1],))
        known.dated_ms = from_ms
        if seat is not None:
            seat[0].put((seat[1],))

    def set_dated_alike(self, nodes: Iterable[str], from_ms: int | None) -> None:
        """Say the same of several nodes at once, each named once."""
        known, seats = self.nodes, self._seats
        of_pool: dict[Pool, list[int]] = {}
        for name in nodes:
            seat = seats.get(name)
            if seat is None:
                known[name].dated_ms = from_ms
                continue
            pool, number = seat
            numbers = of_pool.get(pool)
            if numbers is None:
                of_pool[pool] = [number]
            else:
                numbers.append(number)
        for pool, numbers in of_pool.items():
            pool.redate(numbers, from_ms)

    def sites(self) -> frozenset[str]:
        """Return the sites at which nodes stand."""
        return frozenset(site for site, _, _ in self._keys)

    def pools(self) -> list[Pool]:
        """Return the indexes of all pools, in the order of their first nodes."""
        if self._stale:
            self._build()
        return list(self._pools.values())

    def pools_for(self, shape: NodeShape, where: Where = ANYWHERE) -> list[Pool]:
        """Return the indexes of the pools that have nodes for a shape there, whether free or not."""
        offers = self._offers(shape)
        return [pool for offer in offers if where.sites is None or offer.site in where.sites for pool in offer.pools]

    def domains(self, level: Level) -> Mapping[str, str]:
        """Return the domain of a level in which each node stands."""
        known = self._standing.get(level)
        if known is None:
            known = self._standing[level] = {name: domain_of(node, level) for name, node in self.nodes.items()}
        return known

    def free_whole(self, pool: str) -> int:
        """Return how many nodes of a pool take work now and have nothing on them."""
        return sum(one.free_whole() for one in self.pools() if one.name == pool)

    def usable(self, shape: NodeShape, where: Where = ANYWHERE) -> Iterable[Node]:
        """Yield the nodes that may take this shape there, whether free or not; this one walks over them."""
        for node in self.nodes.values():
            if not node.available or node.removed or not where.allows(node):
                continue
            if shape.flavour is None or is_flavour(node.flavour, shape.flavour):
                yield node

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

        It is the first site in the order of nodes that holds the gang, and there the tightest domain. A node that is dated is
        used only for work that ends by its date (`ends_by`; None: nobody knows), or where `among` names the nodes to
        choose from; of those that will do, the soonest dated come first.
        """
        until_ms = UNDATED if ends_by is None else ends_by
        if among is not None:
            ask = Ask(shape, count, where.tenant, within, until_ms)
            named = [self.nodes[name] for name in among]
            usable = [node for node in named if _suits(node, shape, where) and node.available and not node.removed]
            return place_among(usable, ask, self.ranking)
        sites = where.sites
        for offer in self._offers(shape):
            if sites is not None and offer.site not in sites:
                continue
            needs_idle = offer.needs_all or offer.needs_idle
            if needs_idle and count == 1:
                share = on_first_idle(offer.pools, shape, where.tenant, until_ms)
                if share is not None:
                    return (share,)
                continue
            if count > 1 and offer.reach(shape, count, where.tenant) < until_ms:
                continue
            placed = place_at(self, offer, Ask(shape, count, where.tenant, within, until_ms), needs_idle=needs_idle)
            if placed is not None:
                return placed
        return None

    def reach(self, asked: Asked) -> int | None:
        """Return until when a gang may last that asks for this and that `place` finds shares for now, and for none that lasts longer.

        NEVER where it finds none at all; None where a count does not tell, as all of it must be in one domain.
        """
        if not asked.is_counted:
            return None
        if asked.as_of is not self._as_of:
            where = asked.where
            asked.offers = [(shape, one) for shape in asked.shapes for one in self._offers(shape) if where.sites is None or one.site in where.sites]
            asked.as_of = self._as_of
        latest, count, tenant = NEVER, asked.nodes, asked.where.tenant
        for shape, offer in asked.offers:
            reach = offer.reach(shape, count, tenant)
            if reach > latest:
                latest = reach
        return latest

    def best_room(
        self, shape: NodeShape, where: Where = ANYWHERE, *, level: Level, ends_by: int | None = None
    ) -> tuple[str, int]:
        """Return the domain of a level that holds most tasks of a shape now, and how many; ("", 0) where none holds any."""
        ask = Ask(shape, 1, where.tenant, None, UNDATED if ends_by is None else ends_by)
        best = ("", 0)
        for offer in self._offers(shape):
            if where.sites is None or offer.site in where.sites:
                for name, (count, _) in rooms(offer.pools, ask, level).items():
                    best = (name, count) if count > best[1] else best
        return best

    def room_by_domain(
        self, shape: NodeShape, where: Where = ANYWHERE, *, level: Level | None, ends_by: int | None = None
    ) -> dict[str, int]:
        """Return how many tasks of a shape each domain of a level, or each site, holds now; those that hold none are left out."""
        ask = Ask(shape, 1, where.tenant, None, UNDATED if ends_by is None else ends_by)
        found: dict[str, int] = {}
        for offer in self._offers(shape):
            if where.sites is None or offer.site in where.sites:
                for name, (count, _) in rooms(offer.pools, ask, level or Level.HALL).items():
                    name = offer.site if level is None else name
                    found[name] = found.get(name, 0) + count
        return found

    def could_ever(self, shape: NodeShape, count: int, where: Where = ANYWHERE, *, within: Within | None = None) -> bool:
        """Return whether the gang would fit there if nothing else ran, drained nodes included."""
        return self._could_fit(shape, count, where, within, are_drained_counted=True)

    def could_without_drained(self, shape: NodeShape, count: int, where: Where = ANYWHERE, *, within: Within | None = None) -> bool:
        """Return whether the gang would fit there if nothing else ran, on the nodes that take work now."""
        return self._could_fit(shape, count, where, within, are_drained_counted=False)

    def take(self, shares: Sequence[Share]) -> None:
        """Take shares; raise BrokenInvariant where any of it is not free."""
        self._change(shares, take_from)

    def give_back(self, shares: Sequence[Share]) -> None:
        """Give shares back; raise BrokenInvariant where they were not taken."""
        self._change(shares, give_to)

    def _change(self, shares: Sequence[Share], change: Callable[[Node, Share], None]) -> None:
        """Change what is free on the nodes of shares; their places in the indexes follow. Few shares are the hot case."""
        if len(shares) <= _FEW:
            for share in shares:
                seat = self._seats.get(share[1])
                if seat is None:
                    change(self.nodes[share[1]], share)
                else:
                    pool, number = seat
                    pool.change_one(number, change, share)
            return
        seat = self._seats.get(shares[0][1])
        if seat is not None and seat[0].change_alike(change, shares):
            return
        together = self._seats_of(shares)
        for pool, numbers in together:
            pool.drop(numbers)
        for share in shares:
            change(self.nodes[share.node], share)
        for pool, numbers in together:
            pool.put(numbers)

    def _seats_of(self, shares: Sequence[Share]) -> Sequence[tuple[Pool, Sequence[int]]]:
        """Return where the nodes of shares stand in the indexes, each once; nothing of pools whose index is yet to be made."""
        seats = self._seats
        numbers: dict[Pool, dict[int, None]] = {}
        for share in shares:
            seat = seats.get(share.node)
            if seat is not None:
                pool, number = seat
                of_pool = numbers.get(pool)
                if of_pool is None:
                    numbers[pool] = {number: None}
                else:
                    of_pool[number] = None
        return [(pool, list(of_pool)) for pool, of_pool in numbers.items()]

    def _offers(self, shape: NodeShape) -> Sequence[Offer]:
        """Return the pools whose idle nodes hold a task of a shape, by site, in the order of their first nodes."""
        if self._stale:
            self._build()
        known = self._offering.get(id(shape))  # of the same shapes there are few, and hashing one costs more than all this
        if known is None or known[0] is not shape:
            if len(self._offering) >= QUESTIONS_MAX:
                self._offering.clear()
            known = self._offering[id(shape)] = (shape, self._found_offers(shape))
        return known[1]

    def _found_offers(self, shape: NodeShape) -> Sequence[Offer]:
        by_site: dict[str, list[Pool]] = {}
        for (site, _, kind), pool in self._pools.items():
            if (shape.flavour is None or is_flavour(kind.flavour, shape.flavour)) and pool.each(shape):
                by_site.setdefault(site, []).append(pool)
        return [
            Offer(
                site,
                pools,
                is_single=all(pool.each(shape) == 1 for pool in pools),
                needs_all=all(pool.needs_all(shape) for pool in pools),
                needs_all_gpus=all(pool.needs_all_gpus(shape) and not pool.needs_all(shape) for pool in pools),
            )
            for site, pools in by_site.items()
        ]

    def _build(self) -> None:
        """Make the indexes of pools whose nodes have changed."""
        place = {name: at for at, name in enumerate(self.nodes)}
        for key in self._stale:
            names = sorted(self._keys[key], key=place.__getitem__)
            self._keys[key] = names
            if not names:
                del self._keys[key]
                continue
            site, name, kind = key
            pool = self._pools[key] = Pool(name, site, kind, [self.nodes[one] for one in names])
            self._seats.update((node.node, (pool, number)) for number, node in enumerate(pool.tree.nodes))
        self._stale.clear()
        self._pools = dict(sorted(self._pools.items(), key=lambda one: place[self._keys[one[0]][0]]))

    def _note_closed(self, node: Node) -> None:
        if node.available and not node.removed:
            self.closed.discard(node.node)
        else:
            self.closed.add(node.node)

    def _forget(self, key: PoolKey) -> None:
        """The nodes of a pool change: its index is made anew when somebody asks."""
        self.changes += 1
        self._as_of = object()
        self._offering.clear()
        self._could.clear()
        self._domains.clear()
        self._standing.clear()
        self._stale.add(key)
        pool = self._pools.pop(key, None)
        for node in pool.tree.nodes if pool is not None else ():
            del self._seats[node.node]

    def _could_fit(
        self, shape: NodeShape, count: int, where: Where, within: Within | None, *, are_drained_counted: bool
    ) -> bool:
        level = within.level if within is not None and within.is_required and count > 1 else None
        question = (shape, count, where.sites, level, are_drained_counted)
        known = self._could.get(question)
        if known is None:
            if len(self._could) >= QUESTIONS_MAX:
                self._could.clear()
            known = self._could[question] = any(
                most >= count
                for offer in self._offers(shape)
                if where.sites is None or offer.site in where.sites
                for most in self._most_together(offer.pools, shape, level, are_drained_counted).values()
            )
        return known

    def _most_together(
        self, pools: Sequence[Pool], shape: NodeShape, level: Level | None, are_drained_counted: bool
    ) -> dict[str, int]:
        """Return how many tasks of a shape each domain holds with nothing else on it."""
        most: dict[str, int] = {}
        for pool in pools:
            each = pool.each(shape)
            if each:
                for name, nodes in self._nodes_in(pool, level, are_drained_counted).items():
                    most[name] = most.get(name, 0) + nodes * each
        return most

    def _nodes_in(self, pool: Pool, level: Level | None, are_drained_counted: bool) -> dict[str, int]:
        """Return how many nodes of a pool stand in each domain; the answer is remembered until nodes come, go or change."""
        question = (pool, level, are_drained_counted)
        known = self._domains.get(question)
        if known is None:
            known = self._domains[question] = {}
            for node in pool.tree.nodes:
                if not node.removed and (are_drained_counted or node.available):
                    name = domain_of(node, level) if level is not None else ""
                    known[name] = known.get(name, 0) + 1
        return known


def _suits(node: Node, shape: NodeShape, where: Where) -> bool:
    return (
        where.allows(node)
        and where.may_join(node)
        and (shape.flavour is None or is_flavour(node.flavour, shape.flavour))
        and how_many(node.kind, node.state, shape) > 0
    )


def _key(node: Node) -> PoolKey:
    return (node.site, node.pool, node.kind)
