"""Fragmentation in GPUs and euro: what is free and in pieces, which gangs still find their nodes together, what moving aside brought."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eisbach.app.state import FactoryState
from eisbach.core.billing.tariff import Tariff
from eisbach.core.capacity.fleet import Fleet
from eisbach.core.capacity.inventory import Node
from eisbach.core.capacity.resolve import flavours_of
from eisbach.core.capacity.where import Where
from eisbach.core.jobs.request import CapacityClass, NodeShape
from eisbach.core.jobs.within import Level
from eisbach.core.vocabulary.quantities import DAY_MS
from eisbach.ports.store import Reader

Json = dict[str, Any]
MOVES_FOR_MS = 30 * DAY_MS
MOVES_SHOWN = 10_000


def question() -> Callable[[FactoryState, int], list[Json]]:
    """Return the question for each flavour with GPUs at each of its sites.

    GPUs are in pieces that are free on a node of which others are held: a task of a whole node finds no use for them.
    `in_pieces_hour` is what they would cost in an hour by the list, None without a price. `together` are the nodes that are idle in the best
    domain of each level: the largest gang that starts there now.
    """

    def ask(state: FactoryState, now: int) -> list[Json]:
        tariff = state.prices.at(now)
        found: list[Json] = []
        for flavour, nodes in flavours_of(state.scheduler.fleet).items():
            by_site: dict[str, list[Node]] = {}
            for node in nodes:
                if node.gpus:
                    by_site.setdefault(node.site, []).append(node)
            found += [_at_site(state, tariff, flavour, site, inside) for site, inside in by_site.items()]
        return found

    return ask


def _at_site(state: FactoryState, tariff: Tariff | None, flavour: str, site: str, nodes: list[Node]) -> Json:
    usable = [node for node in nodes if node.available]
    free = [(node.free_mask.bit_count(), node) for node in usable]
    in_pieces = sum(gpus for gpus, node in free if gpus and gpus < node.gpus)
    price = tariff.price(_task(flavour, 1), 1, CapacityClass.ON_DEMAND) if tariff is not None else None
    return {
        "site": site,
        "simulated": state.sites[site].is_simulated,
        "flavour": flavour,
        "nodes": len(usable),
        "gpus": sum(node.gpus for node in usable),
        "free_gpus": sum(gpus for gpus, _ in free),
        "in_pieces_gpus": in_pieces,
        "in_pieces_hour": None if price is None else price * in_pieces,
        "together": _together(state.scheduler.fleet, flavour, site, max(node.gpus for node in nodes)),
    }


def _together(fleet: Fleet, flavour: str, site: str, gpus: int) -> dict[str, int]:
    where, task = Where(frozenset({site})), _task(flavour, gpus)
    return {level.value: fleet.best_room(task, where, level=level)[1] for level in Level}


def _task(flavour: str, gpus: int) -> NodeShape:
    return NodeShape(cpu_milli=0, memory_mib=0, gpus=gpus, flavour=flavour)


def moves(reader: Reader, now: int) -> Json:
    """Return what moving aside was reckoned to bring in the last thirty days: how often, how many attempts, GPU-time and money."""
    rows = reader.rows("defragmentations", {}, limit=MOVES_SHOWN).rows
    late = [row for row in rows if row["at_ms"] > now - MOVES_FOR_MS]
    return {"times": len(late), **{name: _sum(late, name) for name in ("moves", "lost_gpu_milli_ms", "gain_gpu_milli_ms", "gain_micro_eur")}}


def _sum(rows: Sequence[Mapping[str, Any]], name: str) -> int:
    return sum(int(row[name]) for row in rows)
