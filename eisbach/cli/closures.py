"""`eisbach node maintain` and `eisbach node maintenance`: windows in which nodes are closed."""

from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.client import segment
from eisbach.cli.errors import usage_error
from eisbach.cli.instants import instant_ms
from eisbach.cli.node_acts import Force, Hall, Nodes, Pool, Rack, Reason, Row, Site, moved, targets, who_leaves
from eisbach.cli.output import Format, Output, document, show, table
from eisbach.cli.session import Session
from eisbach.core.jobs.amounts import DURATION, parse_duration_ms

Json = dict[str, Any]


def maintain(
    nodes: Nodes = None, site: Site = "", hall: Hall = "", row: Row = "", rack: Rack = "", pool: Pool = "", reason: Reason = "",
    begin: Annotated[
        str | None, typer.Option("--from", metavar="INSTANT", help="Such as 2026-12-01T06:00 or 6h (from now); without it, now.")
    ] = None,
    length: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long, such as 4h.")] = "",
    force: Force = False,
    output_format: Output = Format.TABLE,
) -> None:  # fmt: skip
    """Announce a maintenance window: it begins and ends by itself.

    Nothing but spot is placed over it; what runs and would not end before it is asked to save in time.
    """
    meant = targets(nodes, site, hall, row, rack, pool)
    length_ms = parse_duration_ms(length)
    if length_ms is None:
        what = f"--for is {length!r}, but must be {DURATION}" if length else "It has no end"
        raise usage_error(what, "For example `eisbach node maintain --hall 1 --row 2 --rack r07 --from 2026-12-01T06:00 --for 4h`")
    from_ms = instant_ms(begin, "--from") if begin is not None else None
    body = {**meant, "from_ms": from_ms, "length_ms": length_ms, "note": reason, "force": force}
    announced = Session().client.post("/v1/closures", body)
    show(document("closure", closure=announced), output_format, lambda is_wide: print(_announced(announced)))


def list_closures(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False, output_format: Output = Format.TABLE
) -> None:
    """List maintenance windows and drains by a deadline."""
    found = list(Session().client.pages("/v1/closures", limit=1000))
    shown = [one for one in found if everything or one["state"] in ("announced", "begun")]
    show(document("closures", closures=shown), output_format, lambda is_wide: _print_closures(shown))


def cancel(
    closure: Annotated[str, typer.Argument(metavar="CLOSURE", help="Its id, as `eisbach node maintenance list` shows it.")],
    output_format: Output = Format.TABLE,
) -> None:
    """Cancel a maintenance window or a drain, or end it early."""
    cancelled = Session().client.post(f"/v1/closures/{segment(closure)}/cancel")
    nodes = figures.counted(len(cancelled["nodes"]), "node")
    said = f"{closure} has ended: {nodes} in use again." if cancelled["had_begun"] else f"{closure} is cancelled: nothing changes for {nodes}."
    show(document("closure-cancelled", **cancelled), output_format, lambda is_wide: print(said))


def _announced(closure: Json) -> str:
    nodes = figures.counted(len(closure["nodes"]), "node")
    times = f"from {figures.minute(closure['from_at'])} until {figures.minute(closure['until_at'])}"
    return f"{nodes} closed {times} ({closure['closure']}). {who_leaves(closure)}{moved(closure)}"


def _print_closures(found: list[Json]) -> None:
    rows = [
        [
            one["closure"],
            one["kind"],
            one["targets"],
            str(one["node_count"]),
            figures.minute(one["from_at"]),
            figures.minute(one["until_at"]) if one["until_at"] else "-",
            one["state"],
            one["note"],
        ]
        for one in found
    ]
    table(["CLOSURE", "KIND", "~TARGETS", ">NODES", "FROM", "UNTIL", "STATE", "~NOTE"], rows, empty="No node is to be closed.")
