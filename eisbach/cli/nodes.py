"""`eisbach node`: the nodes of the factory, for its operator."""

from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.client import segment
from eisbach.cli.output import Format, Output, document, pairs, show, table
from eisbach.cli.session import Session

Node = Annotated[str, typer.Argument(metavar="NODE", help="The node's id.")]


def list_nodes(
    site: Annotated[str | None, typer.Option("--site", help="Only nodes at this site.")] = None,
    output_format: Output = Format.TABLE,
) -> None:
    """List the nodes, what of them is free, and what runs there."""
    found = list(Session().client.pages("/v1/nodes", site=site, limit=1000))
    show(document("nodes", nodes=found), output_format, lambda is_wide: _print_nodes(found, is_wide))


def _print_nodes(found: list[dict[str, Any]], is_wide: bool) -> None:
    columns = ["NODE", "~POOL", "~SITE", "FLAVOUR", ">CORES", ">FREE", ">MEMORY", ">FREE", ">GPUS", ">FREE", "STATE", ">RUNS"]
    rows = [
        [
            one["node"],
            one["pool"],
            one["site"],
            one["flavour"],
            figures.cores(one["cpu_milli"]),
            figures.cores(one["free_cpu_milli"]),
            figures.memory(one["memory_mib"]),
            figures.memory(one["free_memory_mib"]),
            str(one["gpus"]),
            str(one["free_gpus"]),
            _state(one),
            str(len(one["attempts"])),
        ]
        for one in found
    ]
    if is_wide:
        columns += ["HALL", "ROW", "RACK", "ATTEMPTS"]
        for row, one in zip(rows, found, strict=True):
            row += [one["hall"], one["row"], one["rack"], " ".join(one["attempts"])]
    table(columns, rows, empty="No nodes.")
    if any(one["simulated"] for one in found):
        print("\nNothing is executed on nodes that say simulated.")


def show_node(node: Node, output_format: Output = Format.TABLE) -> None:
    """Show one node: how it is, what runs there, what happened to it."""
    found = Session().client.get(f"/v1/nodes/{segment(node)}")
    show(document("node", node=found), output_format, lambda is_wide: _print_node(found))


def _print_node(node: dict[str, Any]) -> None:
    place = ", ".join(f"{level} {node[level]}" for level in ("hall", "row", "rack") if node[level])
    since = f", {node['health_cause']}, since {figures.instant(node['health_since_at'])}" if node["health_since_at"] else ""
    closes = f"from {figures.minute(node['closes_at'])}" if node["closes_at"] else "now"
    pairs(
        [
            ("node", node["node"]),
            ("pool, site", f"{node['pool']}, {node['site']}" + (f" ({place})" if place else "")),
            ("flavour", node["flavour"]),
            ("state", _state(node)),
            ("health", node["health"] + since),
            ("there from", figures.minute(node["is_there_from_at"]) if node["is_there_from_at"] else ""),
            ("closes", f"{closes} ({node['closure']})" if node["closure"] else ""),
            ("cores", f"{figures.cores(node['cpu_milli'])}, {figures.cores(node['free_cpu_milli'])} free"),
            ("memory", f"{figures.memory(node['memory_mib'])}, {figures.memory(node['free_memory_mib'])} free"),
            ("GPUs", f"{node['gpus']}, {node['free_gpus']} free" if node["gpus"] else "none"),
            ("attempts", " ".join(node["attempts"]) or "none"),
        ]
    )
    if node["history"]:
        print()
        rows = [[figures.instant(one["at"]), one["what"], one["cause"], one["by_label"] or one["by"], one["note"]] for one in node["history"]]
        table(["WHEN", "WHAT", "NOTICED BY", "~BY", "~NOTE"], rows)


def _state(node: dict[str, Any]) -> str:
    state = "removed" if node["removed"] else str(node["condition"])
    return f"{state} (simulated)" if node["simulated"] else state
