"""Builders of the twin's tests: small sites, and traces written as files."""

import gzip
from pathlib import Path

from eisbach.app.site_facts import NodeFacts, SiteFacts

WEEK = "job_id,submit_s,nodes,duration_s,limit_s\n"
TABLE = "job_id,user,submit_s,start_s,duration_s,gpus,cpus,state,kind\n"


def a_site(nodes: int = 4, gpus: int = 8, flavour: str = "b200.8") -> SiteFacts:
    """A simulated site of equal nodes with 12 cores and 96 GiB for each GPU."""
    each = max(1, gpus)
    return SiteFacts(
        site="small",
        country="DE",
        operator="Test",
        operator_country="DE",
        is_simulated=True,
        nodes=tuple(
            NodeFacts(
                node=f"n{nth}", pool="gpu", flavour=flavour, cpu_milli=12_000 * each, memory_mib=98_304 * each, gpus=gpus,
                hall="hall-1", row="row-1", rack=f"rack-{nth // 2 + 1}",
            )
            for nth in range(nodes)
        ),
    )  # fmt: skip


def written(folder: Path, text: str, name: str = "trace.csv") -> Path:
    """A file with this text, as gzip where its name says so."""
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path
