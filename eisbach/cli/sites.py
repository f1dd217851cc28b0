"""`eisbach site`: where there is capacity, under whose law, and what stands there."""

from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.client import segment
from eisbach.cli.errors import CliError
from eisbach.cli.link_table import print_links
from eisbach.cli.output import Format, Output, document, pairs, show, table
from eisbach.cli.session import Session

Json = dict[str, Any]
COLUMNS = ["SITE", "COUNTRY", "~OPERATOR", "SEAT", "PARENT", ">NODES", ">GPUS", ">FREE", ">HALLS", ">RACKS", "KIND"]


def list_sites(output_format: Output = Format.TABLE) -> None:
    """List the sites and under whose law each one is."""
    found = Session().client.get("/v1/sites")["items"]
    show(document("sites", sites=found), output_format, lambda is_wide: _print_sites(found))


def show_site(
    site: Annotated[str, typer.Argument(metavar="SITE|FILE", help="A site of the factory, a site file, or the name of a shipped one.")],
    output_format: Output = Format.TABLE,
) -> None:
    """Show one site: countries, operator, what stands there.

    A site file, and a shipped one that the factory does not have, is read here: no factory is asked.
    """
    from eisbach.cli.site_files import is_a_file, is_shipped, print_facts, site_of_file

    found = None if is_a_file(site) else _asked(site, or_nothing=is_shipped(site))
    if found is None:
        facts = site_of_file(site)
        show(document("site-facts", site=facts), output_format, lambda is_wide: print_facts(facts))
    else:
        show(document("site", site=found), output_format, lambda is_wide: _print_site(found))


def _asked(site: str, *, or_nothing: bool) -> Json | None:
    """What the factory says of a site; nothing, where that is wanted, if there is no factory or it has no such site."""
    try:
        found: Json = Session().client.get(f"/v1/sites/{segment(site)}")
    except CliError:
        if or_nothing:
            return None
        raise
    return found


def kind_of(site: Json) -> str:
    """Return whether work is executed at a site."""
    return "simulated" if site["simulated"] else "real"


def _print_sites(found: list[Json]) -> None:
    rows = [
        [
            one["site"],
            one["country"],
            one["operator"],
            one["operator_country"],
            one["parent_country"],
            str(one["nodes"]),
            str(one["gpus"]),
            str(one["free_gpus"]),
            str(one["halls"]),
            str(one["racks"]),
            kind_of(one),
        ]
        for one in found
    ]
    table(COLUMNS, rows, empty="No sites.")
    print("\nCOUNTRY is where it stands, SEAT the operator's country, PARENT that of its ultimate parent; ZZ: nobody has said.")


def _print_site(site: Json) -> None:
    parent = f"{site['parent_country']} (of the operator's ultimate parent)"
    nodes = f"{site['nodes']}, {site['drained']} of them drained" if site["drained"] else str(site["nodes"])
    pairs(
        [
            ("site", site["site"]),
            ("kind", "simulated: nothing is executed here" if site["simulated"] else "real: work runs on this machine"),
            ("country", site["country"]),
            ("operator", f"{site['operator']}, seat in {site['operator_country']}"),
            ("jurisdiction", parent),
            ("nodes", nodes),
            ("flavours", ", ".join(f"{one['nodes']} x {one['flavour']}" for one in site["flavours"])),
            ("GPUs", f"{site['gpus']}, {site['free_gpus']} free" if site["gpus"] else "none"),
            ("cores", f"{figures.cores(site['cpu_milli'])}, {figures.cores(site['free_cpu_milli'])} free"),
            ("halls, racks", f"{site['halls']}, {site['racks']}" if site["racks"] else "not said"),
        ]
    )
    print_links(site["links"])
