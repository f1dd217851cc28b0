"""`eisbach node cordon|drain|resume|lost|repair`: what its operator does with nodes, one or a whole hall."""

from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.client import segment
from eisbach.cli.errors import usage_error
from eisbach.cli.instants import instant_ms
from eisbach.cli.output import Format, Output, document, show
from eisbach.cli.session import Session

Json = dict[str, Any]
Nodes = Annotated[list[str] | None, typer.Argument(metavar="[NODE]...", help="Names; `*` stands for anything, as in 'b200-00*'.")]
Site = Annotated[str, typer.Option("--site", help="All nodes at this site.")]
Hall = Annotated[str, typer.Option("--hall", help="All nodes of this hall, such as 2 or hall-02.")]
Row = Annotated[str, typer.Option("--row", help="All nodes of this row.")]
Rack = Annotated[str, typer.Option("--rack", help="All nodes of this rack, such as r07.")]
Pool = Annotated[str, typer.Option("--pool", help="All nodes of this pool.")]
Force = Annotated[
    bool, typer.Option("--force", help="Over bookings and promises too: they move to equal nodes, or are credited.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stands in the nodes' history.")]


def cordon(
    nodes: Nodes = None, site: Site = "", hall: Hall = "", row: Row = "", rack: Rack = "", pool: Pool = "", reason: Reason = "",
    output_format: Output = Format.TABLE,
) -> None:  # fmt: skip
    """Start nothing more on nodes; what runs there stays as long as it likes."""
    _act("cordon", targets(nodes, site, hall, row, rack, pool), reason, output_format)


def uncordon(
    nodes: Nodes = None, site: Site = "", hall: Hall = "", row: Row = "", rack: Rack = "", pool: Pool = "", reason: Reason = "",
    output_format: Output = Format.TABLE,
) -> None:  # fmt: skip
    """Use cordoned nodes again."""
    _act("uncordon", targets(nodes, site, hall, row, rack, pool), reason, output_format)


def drain(
    nodes: Nodes = None, site: Site = "", hall: Hall = "", row: Row = "", rack: Rack = "", pool: Pool = "", reason: Reason = "",
    by: Annotated[
        str | None, typer.Option("--by", metavar="INSTANT", help="Empty by then, such as 2026-12-01T06:00 or 6h; without it, now.")
    ] = None,
    force: Force = False,
    output_format: Output = Format.TABLE,
) -> None:  # fmt: skip
    """Start nothing more on nodes; what runs there moves, now or by a deadline.

    With `--by` work that ends before stays, and what would not gets its signal in time to save within its grace.
    """
    meant = targets(nodes, site, hall, row, rack, pool)
    if by is not None:
        body = {**meant, "from_ms": instant_ms(by, "--by"), "note": reason, "force": force}
        announced = Session().client.post("/v1/closures", body)
        show(document("closure", closure=announced), output_format, lambda is_wide: print(drained_by(announced)))
    elif not reason and nodes is not None and len(nodes) == 1 and "*" not in nodes[0] and len(meant) == 1:
        changed = Session().client.post(f"/v1/nodes/{segment(nodes[0])}/drain")
        show(document("node", node=changed), output_format, lambda is_wide: print(_drained(nodes[0], changed)))
    else:
        _act("drain", meant, reason, output_format)


def resume(
    nodes: Nodes = None, site: Site = "", hall: Hall = "", row: Row = "", rack: Rack = "", pool: Pool = "", reason: Reason = "",
    output_format: Output = Format.TABLE,
) -> None:  # fmt: skip
    """Use drained nodes again."""
    meant = targets(nodes, site, hall, row, rack, pool)
    if not reason and nodes is not None and len(nodes) == 1 and "*" not in nodes[0] and len(meant) == 1:
        changed = Session().client.post(f"/v1/nodes/{segment(nodes[0])}/resume")
        show(document("node", node=changed), output_format, lambda is_wide: print(f"Node {nodes[0]} is in use again."))
    else:
        _act("resume", meant, reason, output_format)


def lost(
    nodes: Nodes = None, site: Site = "", hall: Hall = "", row: Row = "", rack: Rack = "", pool: Pool = "", reason: Reason = "",
    output_format: Output = Format.TABLE,
) -> None:  # fmt: skip
    """Say that nodes are lost: what ran there starts again elsewhere."""
    _act("lost", targets(nodes, site, hall, row, rack, pool), reason, output_format)


def repair(
    nodes: Nodes = None, site: Site = "", hall: Hall = "", row: Row = "", rack: Rack = "", pool: Pool = "", reason: Reason = "",
    output_format: Output = Format.TABLE,
) -> None:  # fmt: skip
    """Say that lost or suspect nodes are healthy again."""
    _act("repair", targets(nodes, site, hall, row, rack, pool), reason, output_format)


def targets(nodes: list[str] | None, site: str, hall: str, row: str, rack: str, pool: str) -> Json:
    """Return which nodes are meant, as the API takes it; a usage error where nothing is said."""
    said = {"names": nodes or [], "site": site, "hall": hall, "row": row, "rack": rack, "pool": pool}
    meant = {name: value for name, value in said.items() if value}
    if not meant:
        raise usage_error("No node is said", "Name nodes, or say --site, --hall, --row, --rack or --pool")
    return meant


def drained_by(closure: Json) -> str:
    """Return what a drain with a deadline means for whoever announced it."""
    nodes = figures.counted(len(closure["nodes"]), "node")
    return f"{nodes} will be empty by {figures.minute(closure['from_at'])} ({closure['closure']}). {who_leaves(closure)}{moved(closure)}"


def moved(closure: Json) -> str:
    """Return which bookings and promises a forced closure met; empty without one."""
    return f" It was forced over {', '.join(closure['moved'])}: they move, or are credited." if closure["moved"] else ""


def who_leaves(closure: Json) -> str:
    """Return what becomes of the work that runs where something closes."""
    running, leaving, short = (closure[name] for name in ("attempts_on_them", "attempts_leaving", "attempts_with_less_grace"))
    if not running:
        return "Nothing runs there."
    less = f", {short} of them with less time than their grace" if short else ""
    return f"{figures.counted(running, 'attempt')} there: {running - leaving} end before, {leaving} are asked to save and move{less}."


def _act(act: str, meant: Json, reason: str, output_format: Format) -> None:
    done = Session().client.post("/v1/node-acts", {"act": act, **meant, "note": reason})
    show(document("node-act", **done), output_format, lambda is_wide: print(_done(done)))


def _done(done: Json) -> str:
    count, changed = len(done["nodes"]), len(done["changed"])
    which = done["nodes"][0] if count == 1 else figures.counted(count, "node")
    said = f"{which}: {_SAID[done['act']]}."
    if changed < count:
        said += f" {'It was' if count == 1 else f'{count - changed} were'} so before."
    if done["attempts_on_them"] and done["act"] in _MOVES:
        said += f" {figures.counted(done['attempts_on_them'], 'attempt')} there {_MOVES[done['act']]}."
    return said


_SAID = {
    "cordon": "cordoned, nothing more starts there",
    "uncordon": "in use again",
    "drain": "drained, nothing more starts there",
    "resume": "in use again",
    "lost": "lost, nothing starts there until it is repaired",
    "repair": "healthy",
}
_MOVES = {
    "cordon": "may stay",
    "drain": "save and move within the grace of their jobs",
    "lost": "ended; their jobs start again elsewhere, first in line, at no cost to them",
}


def _drained(node: str, changed: Json) -> str:
    attempts = changed.get("attempts_on_it")
    if not attempts:
        return f"Node {node} is drained; nothing runs there."
    moves = "1 attempt saves and moves" if attempts == 1 else f"{attempts} attempts save and move"
    return f"Node {node} is drained: nothing more starts there. {moves} within the grace of the job."
