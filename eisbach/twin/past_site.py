"""What happened to sites in the past: nodes that came, failed, were drained and taken back, closures, caps on power."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from eisbach.app import cap_power, close_nodes, tend_nodes
from eisbach.app import events as e
from eisbach.app.commands import SYSTEM
from eisbach.app.events_energy import PowerCapped
from eisbach.app.events_health import ClosureAnnounced, ClosureEnded, NodeMarked
from eisbach.app.site_facts import NodeFacts, SiteFacts
from eisbach.core.capacity.health import ClosureEnd, ClosureKind, Health
from eisbach.core.capacity.targets import Targets
from eisbach.twin.faults import lose_nodes
from eisbach.twin.past_acts import Again, Deed
from eisbach.twin.run import Act
from eisbach.twin.world import World


class PastSite:
    """Sites and nodes as the log has them, and what happened to them from an instant on; first of all how that found them."""

    def __init__(self, again: Again, from_ms: int) -> None:
        self._again, self._from_ms = again, from_ms
        self._nodes: dict[str, tuple[str, NodeFacts]] = {}
        self._sites: dict[str, e.SiteDeclared | e.SiteChanged] = {}
        self._closed: dict[str, tend_nodes.Act] = {}
        self._closures: dict[str, ClosureAnnounced] = {}
        """announced before and not over"""
        self._caps: dict[str, dict[str, int]] = {}
        """site -> source -> what its racks may draw"""
        self._found_capped: dict[str, int] = {}
        self._deeds: list[tuple[int, Deed]] = []
        self._has_begun = False
        self.changed: set[str] = set()
        """nodes that offered something else, or stood elsewhere, before"""
        self.take: dict[type[e.Body], Callable[[int, Any], None]] = {
            e.SiteDeclared: self._site,
            e.SiteChanged: self._site,
            e.NodeDeclared: self._node,
            e.NodeChanged: self._node,
            e.NodeDrained: self._drained,
            NodeMarked: self._marked,
            ClosureAnnounced: self._announced,
            ClosureEnded: self._closure_ended,
            PowerCapped: self._capped,
        }

    def sites(self) -> tuple[SiteFacts, ...]:
        """Return the sites with all nodes that stood there at any time. What a plant allowed is played as the caps that were set."""
        found: dict[str, list[NodeFacts]] = {}
        for site, node in self._nodes.values():
            found.setdefault(site, []).append(node)
        return tuple(
            SiteFacts(
                site=name, country=said.country, operator=said.operator, operator_country=said.operator_country,
                parent_country=said.parent_country, nodes=tuple(found[name]), is_simulated=said.simulated, is_metered=said.metered,
            )
            for name, said in self._sites.items()
            if name in found
        )  # fmt: skip

    def acts(self, begin_ms: int) -> Iterator[Act]:
        """Yield what happened; what was closed or capped before is so at the first instant."""
        for node, act in self._closed.items():
            yield Act(begin_ms, partial(_tend, node, act))
        for site, racks_mw in self._found_capped.items():
            yield Act(begin_ms, partial(self._cap, site, racks_mw))
        for closure in self._closures.values():
            yield Act(begin_ms, partial(self._close, closure))
        for at_ms, deed in self._deeds:
            yield Act(max(begin_ms, at_ms), deed)

    def _site(self, at_ms: int, body: e.SiteDeclared | e.SiteChanged) -> None:
        self._sites[body.site] = body

    def _node(self, at_ms: int, body: e.NodeDeclared | e.NodeChanged) -> None:
        before = self._nodes.get(body.node)
        site = body.site or (before[0] if before is not None else "")
        came_ms = at_ms if self._has_begun else 0
        if before is not None:
            came_ms = before[1].from_ms
        facts = NodeFacts(
            node=body.node, pool=body.pool, flavour=body.flavour, cpu_milli=body.cpu_milli, memory_mib=body.memory_mib,
            gpus=body.gpus, hall=body.hall, row=body.row, rack=body.rack, nvlink=body.nvlink, from_ms=max(body.from_ms, came_ms),
        )  # fmt: skip
        if before is not None and before[1] != facts:
            self.changed.add(body.node)
        self._nodes[body.node] = (site, facts)

    def begin(self) -> None:
        """The first job was submitted: a node that is declared after it comes then."""
        self._has_begun = True

    def _drained(self, at_ms: int, body: e.NodeDrained) -> None:
        closing = tend_nodes.Act.CORDON if body.keeps_work else tend_nodes.Act.DRAIN
        self._happened(at_ms, body.node, closing if body.drained or body.removed else tend_nodes.Act.RESUME)

    def _marked(self, at_ms: int, body: NodeMarked) -> None:
        if Health(body.health) is not Health.SUSPECT:  # a suspicion follows from failures, and those are played
            self._happened(at_ms, body.node, tend_nodes.Act.LOST if Health(body.health) is Health.LOST else tend_nodes.Act.REPAIR)

    def _happened(self, at_ms: int, node: str, act: tend_nodes.Act) -> None:
        if at_ms >= self._from_ms:
            self._deeds.append((at_ms, partial(_tend, node, act)))
        elif act in (tend_nodes.Act.RESUME, tend_nodes.Act.REPAIR):
            self._closed.pop(node, None)
        else:
            self._closed[node] = act

    def _announced(self, at_ms: int, body: ClosureAnnounced) -> None:
        if at_ms >= self._from_ms:
            self._deeds.append((at_ms, partial(self._close, body)))
        else:
            self._closures[body.closure] = body

    def _closure_ended(self, at_ms: int, body: ClosureEnded) -> None:
        if at_ms < self._from_ms:
            over = self._closures.pop(body.closure, None)
            if over is not None and ClosureEnd(body.cause) is ClosureEnd.DRAINED:
                self._closed.update(dict.fromkeys(over.nodes, tend_nodes.Act.DRAIN))
        elif ClosureEnd(body.cause) is ClosureEnd.CANCELLED:
            self._deeds.append((at_ms, partial(self._cancel, body.closure)))

    def _close(self, body: ClosureAnnounced, world: World) -> None:
        from_ms = max(body.from_ms, int(world.now))
        length_ms = body.until_ms - from_ms if body.kind == ClosureKind.MAINTENANCE.value else None
        if length_ms is not None and length_ms <= 0:
            return
        command = close_nodes.command(SYSTEM, targets=Targets(names=body.nodes), from_ms=from_ms, length_ms=length_ms, is_forced=True)
        made = self._again.ask(world, "a closure of nodes", command)
        if made is not None and made.get("closure"):
            self._again.ids[body.closure] = str(made["closure"])

    def _cancel(self, closure: str, world: World) -> None:
        self._again.ask(world, "the end of a closure", close_nodes.cancel(SYSTEM, closure=self._again.now(closure)))

    def _capped(self, at_ms: int, body: PowerCapped) -> None:
        caps = self._caps.setdefault(body.site, {})
        if body.racks_mw is None:
            caps.pop(body.source, None)
        else:
            caps[body.source] = body.racks_mw
        lowest = min(caps.values(), default=None)
        if at_ms >= self._from_ms:
            self._deeds.append((at_ms, partial(self._cap, body.site, lowest)))
        elif lowest is None:
            self._found_capped.pop(body.site, None)
        else:
            self._found_capped[body.site] = lowest

    def _cap(self, site: str, racks_mw: int | None, world: World) -> None:
        facts = world.application.sites.get(site)
        self._again.ask(world, "a cap on power", cap_power.command(SYSTEM, facts, site=site, draw_mw=racks_mw))


def _tend(node: str, act: tend_nodes.Act, world: World) -> None:
    if act is tend_nodes.Act.LOST:
        lose_nodes(world, (node,))
        return
    if act is tend_nodes.Act.REPAIR:
        world.engine.bring_node_back(node)
    world.perform(tend_nodes.command(SYSTEM, act=act, targets=Targets(names=(node,))))
