"""`eisbach site check`, and what a site file says of a site: read here, no factory is asked."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer

from eisbach.adapters.shipped_sites import shipped_sites, site_file_of
from eisbach.adapters.site_file import SiteFileError, read_site_file
from eisbach.app.site_facts import NodeFacts, SiteFacts
from eisbach.cli.errors import CliError
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.figures import counted
from eisbach.cli.link_table import print_links
from eisbach.cli.output import Format, Output, document, pairs, show, table
from eisbach.core.capacity.flavours import gpu_model

Json = dict[str, Any]
KILOWATT_MW = 1_000_000
THIS_MACHINE = NodeFacts(node="node-1", pool="local", flavour="cpu", cpu_milli=1000, memory_mib=1024)
"""Stands in for what `this_machine = true` finds only where the factory starts."""


def check_site(
    file: Annotated[str, typer.Argument(metavar="FILE|NAME", help="A site file, or the name of a shipped one.")],
    output_format: Output = Format.TABLE,
) -> int:
    """Check a site file: everything that is wrong in it, at once."""
    path = site_file_of(file)
    try:
        sites = read_site_file(path, THIS_MACHINE)
    except SiteFileError as error:
        mistakes = error.mistakes
        show(document("site-check", file=str(path), mistakes=list(mistakes), sites=[]), output_format, lambda is_wide: _print_mistakes(mistakes, path))
        return ExitCode.FAILED
    found = [facts_document(one) for one in sites]
    show(document("site-check", file=str(path), mistakes=[], sites=found), output_format, lambda is_wide: _print_good(path, found))
    return ExitCode.OK


def site_of_file(said: str) -> Json:
    """Return what a site file, or a shipped one by its name, says; raise CliError."""
    try:
        (site, *more) = read_site_file(site_file_of(said), THIS_MACHINE)
    except SiteFileError as error:
        raise CliError(str(error.mistakes[0]), f"All of it: `eisbach site check {said}`", ExitCode.USAGE) from error
    if more:
        names = ", ".join(one.site for one in (site, *more))
        raise CliError(f"{said} has several sites: {names}", f"`eisbach site check {said}` counts them all", ExitCode.USAGE)
    return facts_document(site)


def is_a_file(said: str) -> bool:
    """Return whether somebody means a site file on this machine, and no site of a factory."""
    return said.endswith(".toml") or "/" in said


def is_shipped(said: str) -> bool:
    """Return whether a site file of this name comes with the package."""
    return said in shipped_sites()


def facts_document(site: SiteFacts) -> Json:
    """Return a site as its file says it: pools with what is known of their GPUs, stages, domains, links."""
    return {
        "site": site.site,
        "country": site.country,
        "operator": site.operator,
        "operator_country": site.operator_country,
        "parent_country": site.parent_country,
        "simulated": site.is_simulated,
        "nodes": len(site.nodes),
        "gpus": sum(node.gpus for node in site.nodes),
        "halls": len({node.hall for node in site.nodes if node.hall}),
        "racks": len({(node.hall, node.row, node.rack) for node in site.nodes if node.rack}),
        "grid_kw": site.power.grid_mw // KILOWATT_MW if site.power is not None else None,
        "stream": site.stream.name if site.stream is not None else None,
        "pools": [_pool(pool, list(nodes)) for pool, nodes in groupby(sorted(site.nodes, key=_pool_of), key=_pool_of)],
        "stages": _stages(site.nodes),
        "links": [
            {"from": link.lower, "to": link.upper, "gbit_s": link.gbit_s, "source": link.source} for link in site.links
        ],
    }


def _pool_of(node: NodeFacts) -> str:
    return node.pool


def _pool(pool: str, nodes: Sequence[NodeFacts]) -> Json:
    first = nodes[0]
    model = gpu_model(first.flavour)
    shared = {node.nvlink for node in nodes if node.nvlink}
    return {
        "pool": pool,
        "flavour": first.flavour,
        "nodes": len(nodes),
        "gpus": sum(node.gpus for node in nodes),
        "cpu_milli": first.cpu_milli,
        "memory_mib": first.memory_mib,
        "gpu_memory_gb": model.memory_gb if model is not None else None,
        "nvlink_gpus": _nvlink_gpus(nodes, shared) if model is None or model.nvlink_gpus > 1 else 1,
        "nvlink_gbit_s": model.nvlink_gbit_s if model is not None else None,
        "mig": [profile.name for profile in model.mig] if model is not None else [],
        "dense_tflops": {one.precision: one.dense for one in model.peak_figures if one.dense} if model is not None else {},
    }


def _nvlink_gpus(nodes: Sequence[NodeFacts], shared: set[str]) -> int:
    """How many GPUs the largest NVLink domain of a pool has; it ends at the node where the file names none."""
    if not shared:
        return nodes[0].gpus
    domains: dict[str, int] = {}
    for node in nodes:
        domains[node.nvlink] = domains.get(node.nvlink, 0) + node.gpus
    return max(domains.values())


def _stages(nodes: Sequence[NodeFacts]) -> list[Json]:
    days = sorted({node.from_ms for node in nodes})
    return [
        {
            "from": datetime.fromtimestamp(day / 1000, UTC).isoformat() if day else None,
            "nodes": sum(node.from_ms == day for node in nodes),
            "gpus_then": sum(node.gpus for node in nodes if node.from_ms <= day),
        }
        for day in days
    ]


def print_facts(site: Json) -> None:
    """Print a site as its file says it."""
    pairs(
        [
            ("site", site["site"]),
            ("says", "its site file; no factory was asked"),
            ("country", site["country"]),
            ("operator", f"{site['operator']}, seat in {site['operator_country']}"),
            ("jurisdiction", f"{site['parent_country']} (of the operator's ultimate parent)"),
            ("nodes", f"{counted(site['nodes'], 'node')}, {counted(site['gpus'], 'GPU')}"),
            ("halls, racks", f"{site['halls']}, {site['racks']}" if site["racks"] else "not said"),
            ("grid", f"{site['grid_kw']:,} kW" if site["grid_kw"] is not None else ""),
            ("stream", site["stream"] or ""),
        ]
    )
    print()
    table([*_POOL_COLUMNS], [_pool_row(pool) for pool in site["pools"]])
    if [stage["from"] for stage in site["stages"]] != [None]:
        print()
        rows = [[(stage["from"] or "since ever")[:10], str(stage["nodes"]), f"{stage['gpus_then']:,}"] for stage in site["stages"]]
        table(["FROM", ">NODES", ">GPUS THEN"], rows)
    print_links(site["links"])


_POOL_COLUMNS = ("POOL", "FLAVOUR", ">NODES", ">GPUS", ">GB/GPU", ">NVLINK", "~MIG", "~DENSE TFLOPS A GPU")


def _pool_row(pool: Json) -> list[str]:
    return [
        pool["pool"],
        pool["flavour"],
        str(pool["nodes"]),
        f"{pool['gpus']:,}",
        str(pool["gpu_memory_gb"] or "-"),
        f"{pool['nvlink_gpus']} GPUs" if pool["nvlink_gpus"] > 1 else "none",
        " ".join(pool["mig"]) or "-",
        " ".join(f"{precision} {tflops:,}" for precision, tflops in pool["dense_tflops"].items()) or "-",
    ]


def _print_mistakes(mistakes: Sequence[str], path: Path) -> None:
    print(f"{counted(len(mistakes), 'mistake')} in {path}:")
    for mistake in mistakes:
        print(f"  - {mistake.removeprefix(f'{path}: ')}")


def _print_good(path: Path, sites: Sequence[Json]) -> None:
    for site in sites:
        where = f"in {counted(site['racks'], 'rack')} of {counted(site['halls'], 'hall')}, " if site["racks"] else ""
        print(f"{path}: {site['site']} has {counted(site['nodes'], 'node')} {where}{counted(site['gpus'], 'GPU')} in {counted(len(site['pools']), 'pool')}")
    print("Nothing is wrong in it.")
