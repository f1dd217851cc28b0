"""`eisbach prices`: what capacity costs, in which version of the price list, from when on."""

from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.client import segment
from eisbach.cli.output import Format, Output, document, pairs, show, table
from eisbach.cli.session import Session

Json = dict[str, Any]
COLUMNS = ["VERSION", "~LABEL", "HOLDS", "FROM", "UNTIL", ">EUR/CORE H", ">EUR/GIB H", ">SPOT"]


def list_prices(output_format: Output = Format.TABLE) -> None:
    """List the versions of the prices with their validity."""
    found = Session().client.get("/v1/prices")["items"]
    rows = [
        [
            one["version"],
            one["label"],
            one["holds"],
            one["valid_from_at"][:16],
            (one["valid_until_at"] or "")[:16],
            one["core_hour_eur"],
            one["memory_gib_hour_eur"],
            _spot(one),
        ]
        for one in found
    ]
    show(document("prices", versions=found), output_format, lambda is_wide: table(COLUMNS, rows, empty="No prices yet."))


def show_prices(
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="The version; the one of now without it.")] = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Show a version of the prices."""
    client = Session().client
    if version is not None:
        found = client.get(f"/v1/prices/{segment(version)}")
    else:
        found = next((one for one in client.get("/v1/prices")["items"] if one["holds"] == "now"), None)
    if found is None:
        show(document("price-version"), output_format, lambda is_wide: print("No version of the prices holds now."))
        return
    show(document("price-version", **found), output_format, lambda is_wide: _print(found))


def _print(one: Json) -> None:
    pairs(
        [
            ("version", one["version"]),
            ("label", one["label"]),
            ("holds", one["holds"]),
            ("from", one["valid_from_at"]),
            ("until", one["valid_until_at"] or ""),
            ("a core", f"{one['core_hour_eur']} EUR an hour"),
            ("a GiB of memory", f"{one['memory_gib_hour_eur']} EUR an hour"),
            *((f"a GPU {name}", f"{figures.euro(price)} EUR an hour") for name, price in one["gpu_hour_micro_eur"].items()),
            ("spot", f"{_spot(one)} of the price"),
        ]
    )


def _spot(one: Json) -> str:
    return f"{one['spot_permille'] / 10:g} %"
