"""Small factories drawn from a seed: a site or two, a few nodes in racks, flavours, customers with budgets of every size."""

from random import Random

from eisbach.app.site_facts import NodeFacts, SiteFacts
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS

FLAVOURS = ("cpu", "b200.4", "h200.2")
CORES = (2, 4, 8)
NODES_MAX = 7
OPERATOR = "Example Operator"


def random_sites(chance: Random, start_ms: int) -> tuple[SiteFacts, ...]:
    """Return one site, now and then two, of which the first may be a real one; their nodes stand in racks, and one may come only later.

    Nothing is executed anywhere here; a site that is real is one that work goes to unasked.
    """
    names = ["here", "there"] if chance.random() < 0.3 else ["here"]
    is_real = len(names) > 1 and chance.random() < 0.5
    return tuple(_site(chance, name, start_ms, is_simulated=not is_real or name != "here") for name in names)


def _site(chance: Random, name: str, start_ms: int, *, is_simulated: bool) -> SiteFacts:
    flavours = chance.sample(FLAVOURS, chance.choice([1, 1, 2]))
    per_rack = chance.choice([1, 2, 4])
    nodes = [_node(chance, name, nth, chance.choice(flavours), per_rack, start_ms) for nth in range(chance.randint(1, NODES_MAX))]
    return SiteFacts(
        site=name,
        country=chance.choice(["DE", "DE", "AT"]),
        operator=OPERATOR,
        operator_country="DE",
        nodes=tuple(nodes),
        is_simulated=is_simulated,
    )


def _node(chance: Random, site: str, nth: int, flavour: str, per_rack: int, start_ms: int) -> NodeFacts:
    rack = nth // per_rack
    return NodeFacts(
        node=f"{site}-{nth}",
        pool=f"{site}-{flavour}",
        flavour=flavour,
        cpu_milli=1000 * chance.choice(CORES),
        memory_mib=16_384,
        gpus=int(flavour.partition(".")[2] or 0),
        hall="hall-01",
        row=f"row-{rack // 2 + 1:02}",
        rack=f"rack-{rack % 2 + 1:02}",
        from_ms=start_ms + chance.choice([HOUR_MS, DAY_MS]) if chance.random() < 0.05 else 0,
    )
