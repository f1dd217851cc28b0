"""Who is due how much, who had how much, and whose turn it is: the figures that the queue is sorted by."""

from typing import Any

from starlette.responses import Response

from eisbach.app import read_shares, set_scheduler
from eisbach.app.visible import organisations_of
from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.portal.access import OWN, page
from eisbach.portal.call import Call
from eisbach.portal.navigation import NavEntry
from eisbach.ports.translator import N_

GPU_HOUR = 1000 * 3_600_000
SCOPES = {"segment": N_("segment"), "organisation": N_("organisation"), "project": N_("project")}


@page("GET", "/shares", "share:read", OWN)
def list_shares(call: Call) -> Response:
    """Show the branches of the tree of shares that the caller may see, each below its parent."""
    project = call.who.project
    organisations = None if project is not None else organisations_of(call.application.reader, call.who)
    found = call.ask(read_shares.question(organisations=organisations, project=project))
    depths: dict[str | None, int] = {}
    for one in found:
        depths[one["owner"]] = depths.get(one["parent"], -1) + 1
    half_life_ms = call.ask(set_scheduler.question())["half_life_hours"] * HOUR_MS
    return call.render("shares/list.html", half_life_ms=half_life_ms, shares=[_told(call, one, depths[one["owner"]]) for one in found])


def _told(call: Call, one: dict[str, Any], depth: int) -> dict[str, Any]:
    name = one["owner"]
    if one["scope"] != "segment":
        row = call.application.reader.row(f"{one['scope']}s", name)
        name = row["name"] if row is not None else name
    number = call.speech.number
    return {
        "name": name,
        "indent": "\u2002" * depth,
        "scope": call.speech.text(SCOPES[one["scope"]]),
        "weight": number(one["weight"]),
        "due": call.speech.percent(one["due_ppm"] / 1_000_000),
        "had": call.speech.percent(one["used_ppm"] / 1_000_000),
        "hours": number(one["usage_gpu_milli_ms"] / GPU_HOUR, 1),
        "held": number(one["held_gpu_milli"] / 1000, 3),
        "quota": None if one["quota_gpu_milli"] is None else number(one["quota_gpu_milli"] / 1000, 3),
        "agreed": number(one["agreed_gpu_milli"] / 1000, 3) if one["agreed_gpu_milli"] else None,
        "turn": one["turn"],
        "turns": one["turns"],
    }


PAGES = (list_shares,)
NAVIGATION = (NavEntry("/shares", N_("Shares"), "share:read", 460),)
