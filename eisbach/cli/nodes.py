"""`eisbach node`: the nodes of the factory, for its operator."""

from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.client import segment
from eisbach.cli.output import Format, Output, document, show, table
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


def drain(node: Node, output_format: Output = Format.TABLE) -> None:
    """Start nothing more on a node; what runs there moves."""
    changed = Session().client.post(f"/v1/nodes/{segment(node)}/drain")
    show(document("node", node=changed), output_format, lambda is_wide: print(_drained(node, changed)))


def resume(node: Node, output_format: Output = Format.TABLE) -> None:
    """Use a drained node again."""
    changed = Session().client.post(f"/v1/nodes/{segment(node)}/resume")
    show(document("node", node=changed), output_format, lambda is_wide: print(f"Node {node} is in use again."))


def _drained(node: str, changed: dict[str, Any]) -> str:
    attempts = changed.get("attempts_on_it")
    if not attempts:
        return f"Node {node} is drained; nothing runs there."
    moves = "1 attempt saves and moves" if attempts == 1 else f"{attempts} attempts save and move"
    return f"Node {node} is drained: nothing more starts there. {moves} within the grace of the job."


def _state(node: dict[str, Any]) -> str:
    state = "removed" if node["removed"] else str(node["condition"])
    return f"{state} (simulated)" if node["simulated"] else state
