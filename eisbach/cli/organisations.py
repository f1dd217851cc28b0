"""`eisbach org`: organisations, which form a tree."""

from typing import Annotated

import typer

from eisbach.cli.output import Format, Output, document, show, table
from eisbach.cli.resolve import find_organisation
from eisbach.cli.session import Session

COLUMNS = ["ID", "~NAME", "SEGMENT", "PARENT"]


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The organisation's name.")],
    parent: Annotated[str | None, typer.Option("--parent", help="The organisation above it: name or id.")] = None,
    segment: Annotated[
        str, typer.Option("--segment", help="enterprise, mittelstand, start-up, research or public.")
    ] = "enterprise",
    output_format: Output = Format.TABLE,
) -> None:
    """Create an organisation."""
    session = Session()
    above = None if parent is None else find_organisation(session, parent)["organisation"]
    made = session.client.post("/v1/organisations", {"name": name, "parent": above, "segment": segment})
    show(
        document("organisation", organisation=made),
        output_format,
        lambda is_wide: print(f"Created organisation {made['organisation']}."),
    )


def list_organisations(output_format: Output = Format.TABLE) -> None:
    """List the organisations."""
    found = list(Session().client.pages("/v1/organisations", limit=1000))
    rows = [[one["organisation"], one["name"], one["segment"], one["parent"] or ""] for one in found]
    empty = "No organisations. Create one with `eisbach org create NAME`."
    show(
        document("organisations", organisations=found),
        output_format,
        lambda is_wide: table(COLUMNS, rows, empty=empty),
    )
