"""The factory opens: first start, restart, and what changed in the site file and the price list since."""

from collections.abc import Sequence
from typing import Any

from eisbach.app.application import CLOCK_JUMP_MS, Application
from eisbach.app.commands import Context, Decision
from eisbach.app.events import (
    Body,
    ClockJumped,
    FactoryOpened,
    NodeChanged,
    NodeDeclared,
    NodeDrained,
    ServerStarted,
    SiteChanged,
    SiteDeclared,
)
from eisbach.app.publish_prices import price_changes
from eisbach.app.site_facts import BY_SITE_FILE, NodeFacts, SiteFacts, TariffFacts
from eisbach.app.state import FactoryState, Site
from eisbach.core.capacity.inventory import Node
from eisbach.core.vocabulary.reasons import Refusal


def open_factory(
    application: Application,
    *,
    origin: str,
    software: str,
    sites: Sequence[SiteFacts],
    prices: Sequence[TariffFacts],
    follows_head: str = "",
) -> None:
    """Record the start, declare what is new and change what is idle; a node in use is drained first.

    `follows_head` is the newest head of the log before a restore; it stands in the first event under the new origin.
    """

    application.sites = {one.site: one for one in sites}

    reader = application.reader

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        events: list[Body] = []
        if state.origin != origin:
            events.append(FactoryOpened(origin=origin, software=software, follows_head=follows_head))
        events.append(ServerStarted(epoch=context.epoch, software=software, isolation=application.isolation))
        wall = application.clock.wall()
        if state.last_ms - wall > CLOCK_JUMP_MS:  # it was set back while no server ran
            events.append(ClockJumped(expected_ms=state.last_ms, seen_ms=wall))
        events += site_changes(state, sites)
        events += price_changes(state, prices, context.now, lambda version: reader.row("tariffs", version) is not None)
        return Decision(events=tuple(events))

    application.perform(decide).result()


def changed_nature(state: FactoryState, sites: Sequence[SiteFacts]) -> str | None:
    """Return a site that was simulated and would be real, or the reverse: what ran there would be told wrong."""
    known = state.sites
    return next((one.site for one in sites if one.site in known and known[one.site].is_simulated != one.is_simulated), None)


def apply_site_changes(application: Application, sites: Sequence[SiteFacts]) -> int:
    """Declare, change or drain nodes until the fleet is what the site file says; return how many events that took."""
    application.sites = {one.site: one for one in sites}

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        events = tuple(site_changes(state, sites))
        return Decision(events=events, reply={"changes": len(events)})

    answer = application.perform(decide).result()
    return 0 if isinstance(answer, Refusal) else int(answer["changes"])


def site_changes(state: FactoryState, sites: Sequence[SiteFacts]) -> list[Body]:
    """Return the events that bring the fleet closer to the site file; none once it is what the file says.

    A changed or missing node that is in use is drained now and changed when it is idle.
    """
    events: list[Body] = []
    named: set[str] = set()
    for site in sites:
        events += _site_changes(state.sites.get(site.site), site)
        for facts in site.nodes:
            named.add(facts.node)
            events += _node_changes(state.scheduler.fleet.nodes.get(facts.node), facts, site.site)
    for node in state.scheduler.fleet.nodes.values():
        if node.node not in named and not node.removed:
            events += _removal(node)
    return events


def _site_changes(known: Site | None, facts: SiteFacts) -> list[Body]:
    said: dict[str, Any] = {
        "country": facts.country,
        "operator": facts.operator,
        "operator_country": facts.operator_country,
        "parent_country": facts.parent_country or facts.operator_country,
        "simulated": facts.is_simulated,
    }
    if known is None:
        return [SiteDeclared(site=facts.site, metered=facts.is_metered, **said)]
    before = (known.country, known.operator, known.operator_country, known.parent_country, known.is_simulated)
    return [] if before == tuple(said.values()) else [SiteChanged(site=facts.site, metered=facts.is_metered, **said)]


def _node_changes(node: Node | None, facts: NodeFacts, site: str) -> list[Body]:
    said: dict[str, Any] = {
        "pool": facts.pool,
        "site": site,
        "flavour": facts.flavour,
        "cpu_milli": facts.cpu_milli,
        "memory_mib": facts.memory_mib,
        "gpus": facts.gpus,
        "hall": facts.hall,
        "row": facts.row,
        "rack": facts.rack,
        "nvlink": facts.nvlink,
        "from_ms": facts.from_ms,
    }
    if node is None:
        return [NodeDeclared(node=facts.node, **said)]
    if not node.removed and all(getattr(node, name) == value for name, value in said.items()):
        return []
    if not node.is_idle:
        return [] if node.drained else [NodeDrained(node=node.node, drained=True, by=BY_SITE_FILE)]
    drained = node.drained and node.drained_by != BY_SITE_FILE
    return [NodeChanged(node=facts.node, drained=drained, **said)]


def _removal(node: Node) -> list[Body]:
    if node.is_idle:
        return [NodeDrained(node=node.node, drained=True, by=BY_SITE_FILE, removed=True)]
    return [] if node.drained else [NodeDrained(node=node.node, drained=True, by=BY_SITE_FILE)]
