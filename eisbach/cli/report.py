"""`eisbach report`: what the operator looks at now and then."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.output import Format, Output, document, show, table
from eisbach.cli.session import Session

GPU_HOUR = 1000 * 3_600_000


ASKED = {
    "waiting": "Stranded: free, and of no use to the tasks that wait for GPUs; their mean, as often as each comes.",
    "running": "Nobody waits for a GPU. Stranded: free, and of no use to tasks such as run now; their mean.",
    "nothing": "Nobody asks for GPUs, so none is stranded.",
}


class Domains(StrEnum):
    """By which domains a report tells."""

    RACK = "rack"
    ROW = "row"
    HALL = "hall"


def fragmentation(
    level: Annotated[Domains, typer.Option("--level", help="By which domains stranded GPUs are told.")] = Domains.HALL,
    output_format: Output = Format.TABLE,
) -> None:
    """Show what is free and in pieces, in GPUs and euro, and what moving spot aside brought.

    GPUs are in pieces that are free on a node of which others are held. RACK, ROW and HALL are the idle nodes of the best one of each.
    """
    client = Session().client
    found, stranded = client.get("/v1/fragmentation"), client.get("/v1/fragmentation/stranded", level=level.value)
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
        _print_stranded(stranded)
        print(_moves(found["moves"]))

    show(document("fragmentation", fragmentation=found, stranded=stranded), output_format, as_text)


def _print_stranded(stranded: dict[str, Any]) -> None:
    columns = [">GPUS", ">FREE", ">STRANDED", ">EUR/H", ""]
    print()
    table(["POOL", *columns], [[one["pool"], *_cells(one)] for one in stranded["pools"]], empty="There is no pool of GPUs.")
    print()
    table([stranded["level"].upper(), *columns], [[one["domain"], *_cells(one)] for one in stranded["domains"]], empty="")
    print(f"\n{ASKED[stranded['asked']]} So many GPU-hours are lost each hour.")


def _cells(one: dict[str, Any]) -> list[str]:
    return [
        f"{one['gpus']:,}",
        f"{one['free_gpu_milli'] / 1000:,.1f}",
        f"{one['stranded_gpu_milli'] / 1000:,.1f}",
        figures.euro_short(one["lost_hour_micro_eur"]),
        "simulated" if one["simulated"] else "",
    ]


def _moves(moves: dict[str, Any]) -> str:
    if not moves["times"]:
        return "In the last thirty days no spot moved aside for a gang."
    hours = moves["gain_gpu_milli_ms"] / GPU_HOUR
    return (
        f"In the last thirty days {moves['moves']} attempts of spot moved aside for {moves['times']} gangs: "
        f"{hours:,.1f} GPU-hours gained beyond the work done again, {figures.euro(moves['gain_micro_eur'])} EUR (reckoned at the time)."
    )
