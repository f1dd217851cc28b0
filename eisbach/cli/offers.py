"""`eisbach offers`: what can be had, where, and at what price."""

from typing import Any

from eisbach.cli import figures
from eisbach.cli.output import Format, Output, document, show, table
from eisbach.cli.session import Session


def offers(output_format: Output = Format.TABLE) -> None:
    """List what can be had here, where, and at what price."""
    answer = Session().client.get("/v1/offers")
    show(document("offers", **answer), output_format, lambda is_wide: _print_offers(answer["items"]))


def _print_offers(found: list[dict[str, Any]]) -> None:
    columns = ["FLAVOUR", "SITE", ">NODES", ">FREE", ">CORES", ">MEMORY", ">GPUS", "~PRICE (EUR, NET)"]
    rows = [
        [
            one["flavour"],
            _place(one),
            str(one.get("nodes", "")),
            str(one.get("free", one.get("nodes_free", ""))),
            figures.cores(int(one.get("cpu_milli") or 0)),
            figures.memory(int(one.get("memory_mib") or 0)),
            str(one.get("gpus", "")),
            _price(one),
        ]
        for one in found
    ]
    table(columns, rows, empty="This factory offers nothing now: it has no nodes in use.")
    labels = sorted({str(one["tariff_label"]) for one in found if one.get("tariff_label")})
    if labels:
        print(f"Tariff: {', '.join(labels)}.")


def _place(offer: dict[str, Any]) -> str:
    return ", ".join(str(part) for part in (offer.get("site"), offer.get("country")) if part)


def _price(offer: dict[str, Any]) -> str:
    parts = [
        f"{offer[key]}/{unit}"
        for key, unit in (("gpu_hour_eur", "GPU h"), ("core_hour_eur", "core h"), ("memory_gib_hour_eur", "GiB h"))
        if offer.get(key) not in (None, "0.00")
    ]
    return " + ".join(parts)
