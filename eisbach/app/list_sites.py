"""Where there is capacity: every site with its countries, whether it is simulated, and what stands in it."""

from collections.abc import Callable, Iterable
from typing import Any

from eisbach.app.state import FactoryState, Site
from eisbach.core.capacity.inventory import Node


def question() -> Callable[[FactoryState, int], list[dict[str, Any]]]:
    """Return the question for all sites, in the order in which they were declared."""

    def ask(state: FactoryState, now: int) -> list[dict[str, Any]]:
        return [_site(state, site) for site in state.sites.values()]

    return ask


def question_of(site: str) -> Callable[[FactoryState, int], dict[str, Any] | None]:
    """Return the question for one site; None without such a site."""

    def ask(state: FactoryState, now: int) -> dict[str, Any] | None:
        return _site(state, state.sites[site]) if site in state.sites else None

    return ask


def nodes_at(state: FactoryState, site: str) -> list[Node]:
    """Return the nodes that stand at a site, in the order in which they were declared."""
    return [node for node in state.scheduler.fleet.nodes.values() if node.site == site and not node.removed]


def facts_of(site: Site) -> dict[str, Any]:
    """Return what is known of a site itself."""
    return {
        "site": site.site,
        "country": site.country,
        "operator": site.operator,
        "operator_country": site.operator_country,
        "parent_country": site.parent_country,
        "simulated": site.is_simulated,
    }


def _site(state: FactoryState, site: Site) -> dict[str, Any]:
    nodes = nodes_at(state, site.site)
    flavours: dict[str, int] = {}
    for node in nodes:
        flavours[node.flavour] = flavours.get(node.flavour, 0) + 1
    return {
        **facts_of(site),
        "nodes": len(nodes),
        "drained": sum(node.drained for node in nodes),
        "halls": _places(node.hall for node in nodes),
        "racks": _places((node.hall, node.row, node.rack) if node.rack else "" for node in nodes),
        "gpus": sum(node.gpus for node in nodes),
        "free_gpus": sum(len(node.free_gpus) for node in nodes if node.available),
        "cpu_milli": sum(node.cpu_milli for node in nodes),
        "free_cpu_milli": sum(node.free_cpu_milli for node in nodes if node.available),
        "memory_mib": sum(node.memory_mib for node in nodes),
        "free_memory_mib": sum(node.free_memory_mib for node in nodes if node.available),
        "flavours": [{"flavour": name, "nodes": count} for name, count in sorted(flavours.items())],
    }


def _places(names: Iterable[object]) -> int:
    return len({name for name in names if name})
