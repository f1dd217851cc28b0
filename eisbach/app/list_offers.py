"""What there is to be had: flavours with price, place and what is free now."""

from collections.abc import Callable
from typing import Any

from eisbach.app.list_sites import facts_of
from eisbach.app.state import FactoryState, Site
from eisbach.core.billing.tariff import Tariff
from eisbach.core.capacity.inventory import Node
from eisbach.core.capacity.resolve import flavours_of
from eisbach.core.jobs.request import CapacityClass, NodeShape


def question() -> Callable[[FactoryState, int], dict[str, Any]]:
    """Return the question for all flavours that exist, each at each of its sites, with the tariff they are priced by."""

    def ask(state: FactoryState, now: int) -> dict[str, Any]:
        tariff = state.prices.at(now)
        offers = [
            _offer(tariff, flavour, site, inside)
            for flavour, nodes in flavours_of(state.scheduler.fleet).items()
            for site, inside in _by_site(state, nodes)
        ]
        offers.sort(key=lambda offer: bool(offer["places"][0]["simulated"]))  # what is real comes first
        return {
            "tariff": tariff.version if tariff is not None else "",
            "tariff_label": tariff.label if tariff is not None else "",
            "valid_from_ms": tariff.valid_from_ms if tariff is not None else 0,
            "core_hour": tariff.core_hour if tariff is not None else 0,
            "memory_gib_hour": tariff.memory_gib_hour if tariff is not None else 0,
            "spot_permille": tariff.spot_permille if tariff is not None else 1000,
            "offers": offers,
        }

    return ask


def _offer(tariff: Tariff | None, flavour: str, site: Site, nodes: list[Node]) -> dict[str, Any]:
    usable = [node for node in nodes if node.available]
    gpu = NodeShape(cpu_milli=0, memory_mib=0, gpus=1, flavour=flavour)
    gpu_hour = None
    if tariff is not None and nodes[0].gpus:
        gpu_hour = tariff.price(gpu, 1, CapacityClass.ON_DEMAND)
    return {
        "flavour": flavour,
        "nodes": len(nodes),
        "drained": len(nodes) - len(usable),
        "cpu_milli": nodes[0].cpu_milli,
        "memory_mib": nodes[0].memory_mib,
        "gpus": nodes[0].gpus,
        "free_cpu_milli": sum(node.free_cpu_milli for node in usable),
        "free_memory_mib": sum(node.free_memory_mib for node in usable),
        "free_gpus": sum(len(node.free_gpus) for node in usable),
        "gpu_hour": gpu_hour,
        "places": [facts_of(site)],
    }


def _by_site(state: FactoryState, nodes: list[Node]) -> list[tuple[Site, list[Node]]]:
    found: dict[str, list[Node]] = {}
    for node in nodes:
        found.setdefault(node.site, []).append(node)
    return [(state.sites[site], inside) for site, inside in found.items()]
