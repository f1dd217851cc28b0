"""Fragmentation: what is free and in pieces or of no use to who asks, in GPU-hours and euro, and what moving aside brought."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from eisbach.app import report_fragmentation, stranded_gpus
from eisbach.core.admission.stranded import NOTHING, RUNNING, WAITING
from eisbach.core.capacity.topology import Level
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.portal.access import FACTORY, page
from eisbach.portal.call import Call
from eisbach.portal.forms import Refused
from eisbach.portal.navigation import NavEntry
from eisbach.ports.translator import N_

GPU_HOUR = 1000 * 3_600_000
ROWS_MAX = 500
"""Domains that one page shows: a gigafactory has thousands of racks; those that lose most come first."""
LEVELS: Mapping[str, str] = {"hall": N_("Hall"), "row": N_("Row"), "rack": N_("Rack")}
ASKED: Mapping[str, str] = {
    WAITING: N_("Stranded: free, and of no use to the tasks that wait for GPUs; their mean, as often as each comes."),
    RUNNING: N_("Nobody waits for a GPU. Stranded: free, and of no use to tasks such as run now; their mean."),
    NOTHING: N_("Nobody asks for GPUs, so none is stranded."),
}


@page("GET", "/fragmentation", "factory:observe", FACTORY)
def show(call: Call) -> Response:
    """Show free GPUs in pieces by flavour and site, stranded ones by pool and by hall, row or rack, and what moved aside."""
    level = call.query("level") or "hall"
    if level not in LEVELS:
        what = f"There is no level {level!r} to tell fragmentation by"
        raise Refused(Refusal(Reason.INVALID_ARGUMENT, what, f"Choose one of {', '.join(LEVELS)}", "level"))
    stranded = call.ask(stranded_gpus.question(Level(level)))
    domains = sorted(stranded["domains"], key=lambda one: (-one["lost_hour"], -one["stranded_gpu_milli"], one["domain"]))
    moves = report_fragmentation.moves(call.application.reader, call.application.clock.now())
    return call.render(
        "fragmentation/show.html",
        level=level,
        levels=LEVELS,
        asked=ASKED[stranded["asked"]],
        flavours=[_flavour(call, one) for one in call.ask(report_fragmentation.question())],
        pools=[_stranded(call, one["pool"], one) for one in stranded["pools"]],
        domains=[_stranded(call, one["domain"], one) for one in domains[:ROWS_MAX]],
        left_out=max(0, len(domains) - ROWS_MAX),
        moves={**moves, "gain_hours": call.speech.number(moves["gain_gpu_milli_ms"] / GPU_HOUR, 1), "gain": call.speech.money(moves["gain_micro_eur"])},
    )


def _flavour(call: Call, one: Mapping[str, Any]) -> dict[str, Any]:
    hour = one["in_pieces_hour"]
    return {**one, "price": call.speech.money(hour) if hour is not None else "–"}


def _stranded(call: Call, name: str, one: Mapping[str, Any]) -> dict[str, Any]:
    number = call.speech.number
    return {
        "name": name,
        "site": one["site"],
        "simulated": one["simulated"],
        "gpus": number(one["gpus"]),
        "free": number(one["free_gpu_milli"] / 1000, 1),
        "stranded": number(one["stranded_gpu_milli"] / 1000, 1),
        "price": call.speech.money(one["lost_hour"]),
    }


PAGES = (show,)
NAVIGATION = (NavEntry("/fragmentation", N_("Fragmentation"), "factory:observe", 270),)
