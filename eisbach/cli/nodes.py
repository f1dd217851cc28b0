"""`eisbach node`: the nodes of the factory, for its operator."""

from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.client import segment
from eisbach.cli.output import Format, Output, document, show, table
from eisbach.cli.session import Session

COLUMNS = ["NODE", "~POOL", "SITE", "FLAVOUR", ">CORES", ">MEMORY", ">GPUS", "STATE"]
Node = Annotated[str, typer.Argument(metavar="NODE", help="The node's id.")]


def list_nodes(output_format: Output = Format.TABLE) -> None:
    """List the nodes and what each offers."""
    found = list(Session().client.pages("/v1/nodes", limit=1000))
    rows = [
        [
            one["node"],
            one["pool"],
            one["site"],
            one["flavour"],
            figures.cores(one["cpu_milli"]),
            figures.memory(one["memory_mib"]),
            str(one["gpus"]),
            _state(one),
        ]
        for one in found
    ]
    show(document("nodes", nodes=found), output_format, lambda is_wide: table(COLUMNS, rows, empty="No nodes."))


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
    return "removed" if node["removed"] else "drained" if node["drained"] else "in use"
