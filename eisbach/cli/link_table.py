"""The links of a site as a table: what `eisbach site show` prints of a site that is there and of one in a file."""

from typing import Any

from eisbach.cli.output import table

Json = dict[str, Any]
LINK_COLUMNS = ["LINK FROM", "TO", ">GBIT/S", "~SOURCE"]


def print_links(links: list[Json]) -> None:
    """Print what leads from the domains of a site up to the next ones, and how much of it; nothing where nothing is said."""
    if links:
        print()
        table(LINK_COLUMNS, [[one["from"], one["to"], f"{one['gbit_s']:,}", one["source"]] for one in links])
