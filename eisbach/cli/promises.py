"""`eisbach promises`: what was promised in public, and whether it is kept."""

from typing import Annotated, Any

import typer

from eisbach.cli.client import segment
from eisbach.cli.output import Format, Output, document, pairs, show, table
from eisbach.cli.session import Session

COLUMNS = ["PROMISE", "~PROMISED", "VERDICT", "~NOW"]
COMPARISONS = {"at-least": "at least", "around": "around", "up-to": "up to"}
WHY = {
    "until-due": "open until {due}",
    "ceiling-without-floor": "cannot be measured: 'up to' names a ceiling without a floor, which any number keeps",
}


def promises(
    promise: Annotated[
        str | None, typer.Argument(metavar="[PROMISE]", help="The id of one promise, for all its wordings.")
    ] = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Show public promises and whether they are kept."""
    client = Session().client
    if promise is not None:
        one = client.get(f"/v1/promises/{segment(promise)}")
        show(document("promise", promise=one), output_format, lambda is_wide: _print_promise(one))
        return
    found = client.get("/v1/promises")["items"]
    rows = [[one["promise"], _promised(one["promised"]), one["verdict"], one["now"]["says"]] for one in found]
    show(
        document("promises", promises=found),
        output_format,
        lambda is_wide: table(COLUMNS, rows, empty="The register of promises is empty."),
    )


def _print_promise(one: dict[str, Any]) -> None:
    pairs(
        [
            ("promise", f"{one['title']}" + (" (no longer in the register file)" if one["dropped_from_register"] else "")),
            ("promised", _promised(one["promised"])),
            ("due", one["due"] or ""),
            ("verdict", WHY.get(one["why"], one["verdict"]).format(due=one["due"])),
            ("now", one["now"]["says"]),
            ("measured as", one["now"]["means"]),
        ]
    )
    print("\nEvery wording on record, oldest first:\n")
    for wording in one["history"]:
        pairs(
            [
                (wording["date"], f"\"{wording['quote']}\""),
                ("", f"{wording['speaker']}; {wording['source']} ({wording['evidence']})"),
            ]
        )


def _promised(wording: dict[str, Any]) -> str:
    figure = f"{wording['value']} {wording['unit']}"
    if wording["unit"] == "share":
        tenths = wording["value_milli"]
        figure = f"{tenths // 10}.{tenths % 10} %".replace(".0 %", " %")
    doubt = " (unverified)" if wording["evidence"] == "unverified" else ""
    return f"{COMPARISONS[wording['comparison']]} {figure}{doubt}"
