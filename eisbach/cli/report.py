"""`eisbach report`: what the operator looks at now and then."""

from typing import Any

from eisbach.cli import figures
from eisbach.cli.output import Format, Output, document, show, table
from eisbach.cli.session import Session

GPU_HOUR = 1000 * 3_600_000


def fragmentation(output_format: Output = Format.TABLE) -> None:
    """Show what is free and in pieces, in GPUs and euro, and what moving spot aside brought.

    GPUs are in pieces that are free on a node of which others are held. RACK, ROW and HALL are the idle nodes of the best one of each.
    """
    found = Session().client.get("/v1/fragmentation")
    columns = ["SITE", "FLAVOUR", ">GPUS", ">FREE", ">IN PIECES", ">EUR/H", ">RACK", ">ROW", ">HALL", ""]
    rows = [
        [
            one["site"],
            one["flavour"],
            f"{one['gpus']:,}",
            f"{one['free_gpus']:,}",
            f"{one['in_pieces_gpus']:,}",
            figures.euro_short(one["in_pieces_hour_micro_eur"]),
            *(f"{one['together'][level]:,}" for level in ("rack", "row", "hall")),
            "simulated" if one["simulated"] else "",
        ]
        for one in found["items"]
    ]

    def as_text(is_wide: bool) -> None:
        table(columns, rows, empty="There are no GPUs here.")
        print(_moves(found["moves"]))

    show(document("fragmentation", fragmentation=found), output_format, as_text)


def _moves(moves: dict[str, Any]) -> str:
    if not moves["times"]:
        return "In the last thirty days no spot moved aside for a gang."
    hours = moves["gain_gpu_milli_ms"] / GPU_HOUR
    return (
        f"In the last thirty days {moves['moves']} attempts of spot moved aside for {moves['times']} gangs: "
        f"{hours:,.1f} GPU-hours gained beyond the work done again, {figures.euro(moves['gain_micro_eur'])} EUR (reckoned at the time)."
    )
