"""A site of equal nodes in racks and rows: what a trace is replayed on."""

from eisbach.app.site_facts import NodeFacts, SiteFacts

NODES_IN_A_RACK = 8
RACKS_IN_A_ROW = 16
GIB = 1024


def equal_nodes(nodes: int, gpus: int, *, site: str = "bench", flavour: str = "b200") -> SiteFacts:
    """Return a simulated site of so many nodes with so many GPUs each, 16 cores and 256 GiB for each GPU."""
    some = max(1, gpus)
    width = len(str(max(0, nodes - 1)))
    return SiteFacts(
        site=site,
        country="DE",
        operator="Twin",
        operator_country="DE",
        nodes=tuple(
            NodeFacts(
                node=f"{site}-{number:0{width}d}",
                pool=site,
                flavour=f"{flavour}.{gpus}" if gpus else "cpu",
                cpu_milli=16_000 * some,
                memory_mib=256 * GIB * some,
                gpus=gpus,
                hall="hall-1",
                row=f"row-{number // (NODES_IN_A_RACK * RACKS_IN_A_ROW) + 1}",
                rack=f"rack-{number // NODES_IN_A_RACK + 1}",
            )
            for number in range(nodes)
        ),
        is_simulated=True,
        is_metered=False,
    )
