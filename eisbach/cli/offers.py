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
            place_words(one),
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
    if any(one["simulated"] for one in found):
        print("\nNothing is executed at a simulated site; work goes there only if its task file names it.")
    if found:
        print("\nCores, memory and GPUs are of each node; free is what all nodes have together.\n")
        prices = [
            list(row)
            for row in dict.fromkeys(
                (one["flavour"], _price(one, "core_hour"), _price(one, "memory_gib_hour"), _price(one, "gpu_hour")) for one in found
            )
        ]
        table(["FLAVOUR", ">EUR PER CORE HOUR", ">PER GIB HOUR", ">PER GPU HOUR"], prices)
        for label in sorted({str(one["tariff_label"]) for one in found if one["tariff_label"]}):
            print(f"\nNet prices of the tariff: {clean(label)}")


def place_words(place: dict[str, Any]) -> str:
    """Return site and country, and that nothing is executed there where that is so."""
    words = ", ".join(part for part in (place["site"], place["country"]) if part)
    return f"{words} (simulated)" if place.get("simulated") else words


def _price(offer: dict[str, Any], what: str) -> str:
    return str(offer.get(f"{what}_eur") or figures.NOTHING)
