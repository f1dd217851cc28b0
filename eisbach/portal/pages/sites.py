"""Sites: where there is capacity, under whose law; and the operator's map of halls, rows and racks."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from eisbach.app import list_sites, map_halls
from eisbach.app.authorise import ABSENT
from eisbach.app.map_halls import FULL, Condition
from eisbach.portal.access import FACTORY, OWN, page
from eisbach.portal.call import Call
from eisbach.portal.forms import Refused
from eisbach.portal.navigation import NavEntry
from eisbach.ports.translator import N_

NODE_WIDTH, NODE_HEIGHT, GAP, LABEL = 24, 9, 2, 15
"""A drawn node and what is between two, in units of the drawing; LABEL is the height of a rack's name below it."""
DRAWN_MAX = 2_500
"""Nodes that one page draws; a larger site is drawn hall by hall."""
LEVELS = 4
"""Steps of colour between idle and full."""

CONDITION_NAMES: Mapping[str, str] = {
    Condition.IDLE.value: N_("idle"),
    Condition.BUSY.value: N_("partly allocated"),
    Condition.FULL.value: N_("full"),
    Condition.DRAINED.value: N_("drained"),
    Condition.DRAINING.value: N_("being drained"),
    Condition.CORDONED.value: N_("cordoned"),
    Condition.SUSPECT.value: N_("suspect"),
    Condition.LOST.value: N_("lost"),
    Condition.MAINTENANCE.value: N_("in maintenance"),
    Condition.PLANNED.value: N_("not there yet"),
}
LEGEND = (
    ("idle", N_("idle")),
    *((f"level-{level}", N_("up to {share}")) for level in range(1, LEVELS)),
    (f"level-{LEVELS}", N_("more, but not all")),
    ("full", N_("full")),
    ("drained", N_("drained or cordoned: takes no new work")),
    ("suspect", N_("suspect: takes no new work until somebody has looked")),
    ("lost", N_("lost")),
    ("maintenance", N_("in maintenance, or not there yet")),
)
"""Each class of a drawn node, and what it stands for."""


@page("GET", "/sites", "site:read", OWN)
def list_all(call: Call) -> Response:
    """Show all sites, each with the countries that rules about places speak of."""
    return call.render("sites/list.html", sites=call.ask(list_sites.question()))


@page("GET", "/sites/{site}", "site:read", OWN)
def show(call: Call) -> Response:
    """Show one site: where it is, whose it is, what stands there."""
    site = call.ask(list_sites.question_of(call.parameter("site")))
    if site is None:
        raise Refused(ABSENT)
    facts = call.application.sites.get(site["site"])
    links = () if facts is None else facts.links
    return call.render("sites/show.html", site=site, links=links, may_see_map=call.may("node:read", (FACTORY, None)))


@page("GET", "/sites/{site}/map", "node:read", FACTORY)
def show_map(call: Call) -> Response:
    """Show the halls of a site with what of each node is allocated."""
    hall = call.query("hall") or None
    found = call.ask(map_halls.question(call.parameter("site"), hall, nodes_max=DRAWN_MAX))
    refusal = ABSENT if found is None else map_halls.no_such_hall(found, hall)
    if found is None or refusal is not None:
        raise Refused(refusal or ABSENT)
    legend = [(name, text, level * 100 // LEVELS) for level, (name, text) in enumerate(LEGEND)]
    drawn = [[_drawn(row) for row in hall["rows"]] for hall in found["halls"]]
    return call.render("sites/map.html", site=found, drawn=drawn, legend=legend, condition_names=CONDITION_NAMES)


_DRAWN_AS = {
    Condition.DRAINING.value: Condition.DRAINED.value,
    Condition.CORDONED.value: Condition.DRAINED.value,
    Condition.PLANNED.value: Condition.MAINTENANCE.value,
}


def node_class(node: Mapping[str, Any]) -> str:
    """Return how a node is drawn: by its condition, or one of LEVELS steps by its allocated share, rounded up."""
    if node["condition"] != Condition.BUSY.value:
        return _DRAWN_AS.get(node["condition"], str(node["condition"]))
    return f"level-{max(1, -(-int(node['allocated_permille']) * LEVELS // FULL))}"


def _drawn(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of racks as a drawing: racks beside each other, their nodes from the top."""
    tallest = max(len(rack["inside"]) for rack in row["racks"])
    pitch, depth = NODE_WIDTH + 3 * GAP, tallest * (NODE_HEIGHT + GAP) + GAP
    racks = [
        {
            "rack": rack["rack"],
            "x": number * pitch + GAP,
            "middle": number * pitch + GAP + NODE_WIDTH // 2 + GAP,
            "short": rack["rack"].rpartition("-")[2],
            "nodes": [
                {"y": GAP + nth * (NODE_HEIGHT + GAP), "class": node_class(node), **node}
                for nth, node in enumerate(rack["inside"])
            ],
        }
        for number, rack in enumerate(row["racks"])
    ]
    return {
        "row": row,
        "racks": racks,
        "width": len(racks) * pitch + GAP,
        "height": depth + LABEL,
        "depth": depth,
        "rack_width": NODE_WIDTH + 2 * GAP,
        "node_width": NODE_WIDTH,
        "node_height": NODE_HEIGHT,
        "gap": GAP,
    }


PAGES = (list_all, show, show_map)
NAVIGATION = (NavEntry("/sites", N_("Sites"), "site:read", 250),)
