"""`eisbach offers`: what can be had, where, and at what price."""

from typing import Any

from eisbach.cli import figures
from eisbach.cli.output import Format, Output, document, show, table
from eisbach.cli.session import Session
from eisbach.cli.terminal import clean


def offers(output_format: Output = Format.TABLE) -> None:
    """List what can be had here, where, and at what price."""
    answer = Session().client.get("/v1/offers")
    show(document("offers", **answer), output_format, lambda is_wide: _print_offers(answer["items"]))


def _print_offers(found: list[dict[str, Any]]) -> None:
    columns = ["FLAVOUR", "SITE", ">NODES", ">CORES", ">FREE", ">MEMORY", ">FREE", ">GPUS", ">FREE"]
    rows = [
        [
            one["flavour"],
            ", ".join(part for part in (one["site"], one["country"]) if part),
            str(one["nodes"] - one["drained"]),
            figures.cores(one["cpu_milli"]),
            figures.cores(one["free_cpu_milli"]),
            figures.memory(one["memory_mib"]),
            figures.memory(one["free_memory_mib"]),
            str(one["gpus"]),
            str(one["free_gpus"]),
        ]
        for one in found
    ]
    table(columns, rows, empty="This factory offers nothing now: it has no nodes.")
    if found:
        print("\nCores, memory and GPUs are of each node; free is what all nodes have together.\n")
        prices = [[one["flavour"], _price(one, "core_hour"), _price(one, "memory_gib_hour"), _price(one, "gpu_hour")] for one in found]
        table(["FLAVOUR", ">EUR PER CORE HOUR", ">PER GIB HOUR", ">PER GPU HOUR"], prices)
        for label in sorted({str(one["tariff_label"]) for one in found if one["tariff_label"]}):
            print(f"\nNet prices of the tariff: {clean(label)}")


def _price(offer: dict[str, Any], what: str) -> str:
    return str(offer.get(f"{what}_eur") or figures.NOTHING)
