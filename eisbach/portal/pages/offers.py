"""Offers: what there is to be had, where, at what price; and a calculator that gives the ceiling before anything starts."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from eisbach.app import list_offers
from eisbach.app.state import FactoryState
from eisbach.app.submit_job import Priced, most, price_job
from eisbach.core.jobs.request import JobSpec
from eisbach.core.jobs.task_file import parse_task
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.portal.access import OWN, page
from eisbach.portal.call import Call
from eisbach.portal.forms import Refused
from eisbach.portal.navigation import NavEntry
from eisbach.ports.translator import N_

DEFAULTS = {"gpu": "", "gpus": "1", "cpus": "1", "memory": "2", "nodes": "1", "time_limit": "1h"}


@page("GET", "/offers", "offers:read", OWN)
def show_offers(call: Call) -> Response:
    """Show all flavours with price and place, and what was asked of the calculator."""
    answer = call.ask(list_offers.question())
    typed = {name: call.query(name) or value for name, value in DEFAULTS.items()}
    priced, spec = None, None
    refusals: Sequence[Refusal] = ()
    if call.query("cpus"):
        try:
            spec, priced = _price(call, typed)
        except Refused as refused:
            refusals = refused.refusals
    return call.render(
        "offers/list.html",
        status=422 if refusals else 200,
        refusals=refusals,
        answer=answer,
        typed=typed,
        spec=spec,
        priced=priced,
        ceiling=most(priced, spec) if priced and spec else 0,
        accelerators=accelerators_of(answer),
    )


def accelerators_of(answer: dict[str, Any]) -> dict[str, str]:
    """Return the GPUs on offer as a choice, such as `h200`."""
    names = sorted({offer["flavour"].partition(".")[0] for offer in answer["offers"] if offer["gpus"]})
    return {name: name.upper() for name in names}


def resources_of(typed: dict[str, str]) -> dict[str, Any]:
    """Return the `resources` of a task from the fields of a form."""
    resources: dict[str, Any] = {"cpus": typed["cpus"], "memory": typed["memory"]}
    if typed["gpu"]:
        resources["accelerators"] = f"{typed['gpu']}:{typed['gpus']}"
    return resources


def _price(call: Call, typed: dict[str, str]) -> tuple[JobSpec, Priced]:
    task = {"run": "true", "resources": resources_of(typed), "num_nodes": typed["nodes"], "time_limit": typed["time_limit"]}
    spec = parse_task(task, defaults=call.host.task_defaults)
    if not isinstance(spec, JobSpec):
        raise Refused(*spec)

    def ask(state: FactoryState, now: int) -> Priced | Refusal:
        return price_job(state, spec, now)

    return spec, call.ask(ask)


PAGES = (show_offers,)
NAVIGATION = (NavEntry("/offers", N_("Offers"), "offers:read", 200),)
