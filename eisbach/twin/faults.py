"""What goes wrong in the twin: nodes fail at random and are repaired, halls lose their power, and what a file scripts.

A fault happens to the simulated engine; the application notices it as it would live. What operators do (drain, cordon, take
back, declare repaired) are the application's own commands.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random

from eisbach.app import tend_nodes
from eisbach.app.commands import SYSTEM
from eisbach.app.site_facts import NodeFacts, SiteFacts
from eisbach.app.watch_nodes import watch_nodes
from eisbach.core.capacity.inventory import is_flavour
from eisbach.core.capacity.targets import Targets, is_named
from eisbach.core.vocabulary.quantities import DAY_MS, SECOND_MS
from eisbach.twin.run import Act
from eisbach.twin.world import World
from eisbach.twin.wrong_input import WrongInput


class Happening(Enum):
    """What may happen to nodes. Each has an end that undoes it."""

    LOSE = "lose"
    DRAIN = "drain"
    CORDON = "cordon"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFaults:
    """Independent failures of nodes: exponential with this mean time between two of one node, and repairs with this mean."""

    flavour: str
    mtbf_ms: int
    repair_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HallFaults:
    """Outages of a whole hall (power, cooling): all its nodes at once."""

    hall: str
    mtbf_ms: int
    outage_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """Something that happens at an instant of the run to the nodes that are meant; `for_ms` None: it stays."""

    at_ms: int
    happening: Happening
    targets: Targets
    for_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """All that goes wrong."""

    nodes: tuple[NodeFaults, ...] = ()
    halls: tuple[HallFaults, ...] = ()
    events: tuple[Scripted, ...] = ()

    @property
    def is_random(self) -> bool:
        """Return whether any of it is drawn, so that somebody has to say for how long."""
        return bool(self.nodes or self.halls)


class UnknownPlace(WrongInput):
    """A fault names what no node of the site has."""


class NeverHappens(WrongInput):
    """What a script says lies behind the end of the run."""


def refuse_too_late(faults: Faults, days: int) -> None:
    """Raise NeverHappens where a scripted event lies behind a run of so many days: it would silently be left out."""
    for one in faults.events:
        if one.at_ms >= days * DAY_MS:
            what = f"{one.happening.value} at {one.targets}"
            raise NeverHappens(
                f"The event {what} comes {one.at_ms / DAY_MS:g} days after the beginning, and the run ends after {days}. "
                "Play more days, or say an earlier at"
            )


@dataclass(frozen=True, slots=True)
class _Change:
    happening: Happening
    nodes: tuple[str, ...]
    is_over: bool


def acts_of(faults: Faults, site: SiteFacts, *, begin_ms: int, days: int, seed: int) -> Iterator[Act]:
    """Yield what happens, in order of instants; raise UnknownPlace. A node that is down already fails no second time."""
    spells = [_scripted(one, site) for one in faults.events]
    sources = [iter(sorted(spells, key=lambda spell: spell[0]))]
    sources += [_node_faults(one, site, days, Random(f"{seed}/nodes/{nth}")) for nth, one in enumerate(faults.nodes)]
    sources += [_hall_faults(one, site, days, Random(f"{seed}/halls/{nth}")) for nth, one in enumerate(faults.halls)]
    is_down: dict[str, int] = {}
    ends: list[tuple[int, int, _Change]] = []
    for number, (at_ms, for_ms, change) in enumerate(heapq.merge(*sources, key=lambda spell: spell[0])):
        while ends and ends[0][0] <= at_ms:
            yield _act(begin_ms, *heapq.heappop(ends)[::2])
        until_ms = at_ms + for_ms if for_ms is not None else None
        nodes = tuple(node for node in change.nodes if is_down.get(node, 0) <= at_ms)
        if not nodes:
            continue
        if until_ms is not None:
            heapq.heappush(ends, (until_ms, number, _Change(change.happening, nodes, is_over=True)))
        is_down.update(dict.fromkeys(nodes, until_ms if until_ms is not None else 1 << 62))
        yield _act(begin_ms, at_ms, _Change(change.happening, nodes, is_over=False))
    while ends:
        yield _act(begin_ms, *heapq.heappop(ends)[::2])


_Spell = tuple[int, int | None, _Change]


def _act(begin_ms: int, at_ms: int, change: _Change) -> Act:
    return Act(begin_ms + at_ms, lambda world: _happen(world, change))


def _node_faults(said: NodeFaults, site: SiteFacts, days: int, chance: Random) -> Iterator[_Spell]:
    nodes = [node.node for node in site.nodes if not said.flavour or is_flavour(node.flavour, said.flavour)]
    if not nodes:
        raise UnknownPlace(f"The site {site.site!r} has no nodes of the flavour {said.flavour!r}")
    at = 0.0
    while True:
        at += chance.expovariate(1.0) * said.mtbf_ms / len(nodes)
        if at >= days * DAY_MS:
            return
        node = nodes[int(chance.random() * len(nodes))]
        repair_ms = max(SECOND_MS, round(chance.expovariate(1.0) * said.repair_ms))
        yield int(at), repair_ms, _Change(Happening.LOSE, (node,), is_over=False)


def _hall_faults(said: HallFaults, site: SiteFacts, days: int, chance: Random) -> Iterator[_Spell]:
    halls: dict[str, list[str]] = {}
    for node in site.nodes:
        if node.hall and said.hall in ("", node.hall):
            halls.setdefault(node.hall, []).append(node.node)
    if not halls:
        raise UnknownPlace(f"The site {site.site!r} has no hall {said.hall!r}" if said.hall else f"The site {site.site!r} names no halls")
    names = list(halls)
    at = 0.0
    while True:
        at += chance.expovariate(1.0) * said.mtbf_ms / len(names)
        if at >= days * DAY_MS:
            return
        hall = names[int(chance.random() * len(names))]
        outage_ms = max(SECOND_MS, round(chance.expovariate(1.0) * said.outage_ms))
        yield int(at), outage_ms, _Change(Happening.LOSE, tuple(halls[hall]), is_over=False)


def _scripted(said: Scripted, site: SiteFacts) -> _Spell:
    nodes = tuple(node.node for node in site.nodes if _is_meant(node, site, said.targets))
    if not nodes:
        raise UnknownPlace(f"The site {site.site!r} has no node at {said.targets}")
    return said.at_ms, said.for_ms, _Change(said.happening, nodes, is_over=False)


def _is_meant(node: NodeFacts, site: SiteFacts, targets: Targets) -> bool:
    places = (
        (targets.site, site.site), (targets.hall, node.hall), (targets.row, node.row), (targets.rack, node.rack),
        (targets.pool, node.pool),
    )  # fmt: skip
    is_there = all(wanted in ("", found) for wanted, found in places)
    return is_there and (not targets.names or any(is_named(node.node, name) for name in targets.names))


_UNDONE = {Happening.DRAIN: tend_nodes.Act.RESUME, Happening.CORDON: tend_nodes.Act.UNCORDON}
_DONE = {Happening.DRAIN: tend_nodes.Act.DRAIN, Happening.CORDON: tend_nodes.Act.CORDON}


def _happen(world: World, change: _Change) -> None:
    if change.happening is Happening.LOSE and not change.is_over:
        lose_nodes(world, change.nodes)
        return
    if change.happening is Happening.LOSE:
        for node in change.nodes:
            world.engine.bring_node_back(node)
        act = tend_nodes.Act.REPAIR
    else:
        act = (_UNDONE if change.is_over else _DONE)[change.happening]
    world.perform(tend_nodes.command(SYSTEM, act=act, targets=Targets(names=change.nodes)))


def lose_nodes(world: World, nodes: Sequence[str]) -> None:
    """The nodes are gone, and with them every attempt that held a share of one; the application finds out by itself."""
    gone = set(nodes)
    for node in nodes:
        world.engine.lose_node(node)
    for attempt, job in list(world.state.scheduler.holding.items()):
        hit = next((share.node for share in job.shares if share.node in gone), None)
        if hit is not None:
            world.engine.lose(attempt, hit)
    world.rest()
    watch_nodes(world.application)
    world.rest()
