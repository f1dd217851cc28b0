"""Promises made in public, with every wording of them, against what ledger and inventory say now."""

from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import schemas
from eisbach.api.access import OWN, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer, settled
from eisbach.api.errors import ABSENT, Problem
from eisbach.api.representations import Json, whole
from eisbach.app import report_promises
from eisbach.app.promise_wordings import WordingFacts
from eisbach.app.report_promises import PromiseReport, figure

router = APIRouter(route_class=GuardedRoute, tags=["promises"])


@router.get("/v1/promises", response_model=schemas.Promises, summary="Promises against delivery")
@allow("promises:read", OWN)
async def list_promises(call: CallNow) -> Response:
    """Return every public promise with what is so now and whether it is kept."""
    reports = await settled(call, call.application.ask(report_promises.question()))
    return JsonAnswer(whole([_promise(report) for report in reports]))


@router.get("/v1/promises/{promise}", response_model=schemas.Promise, summary="One promise with all its wordings")
@allow("promises:read", OWN)
async def read(call: CallNow, promise: schemas.PromisePath) -> Response:
    """Return a promise with every wording ever recorded, oldest first."""
    reports = await settled(call, call.application.ask(report_promises.question()))
    found = next((report for report in reports if report.promise == promise), None)
    if found is None:
        raise Problem(ABSENT)
    return JsonAnswer({**_promise(found), "history": [_wording(one) for one in found.history]})


def _promise(report: PromiseReport) -> Json:
    wording, measured = report.wording, report.measured
    now = {
        "value_milli": measured.value_milli,
        "value": figure(measured.value_milli),
        "simulated_milli": measured.simulated_milli,
        "simulated": figure(measured.simulated_milli),
        "finding": measured.finding,
        "values": dict(measured.values),
        "says": measured.says,
        "means": report.means,
    }
    return {
        "promise": report.promise,
        "title": wording.title,
        "title_de": wording.title_de,
        "metric": wording.metric,
        "due": wording.due or None,
        "counted_from": wording.counted_from or None,
        "promised": _wording(wording),
        "wordings": len(report.history),
        "now": now,
        "verdict": report.verdict.value,
        "why": report.why,
        "dropped_from_register": report.is_dropped,
    }


def _wording(wording: WordingFacts) -> Json:
    names = ("quote", "language", "date", "speaker", "source", "url", "evidence", "comparison", "value_milli", "unit")
    said = {name: getattr(wording, name) for name in names}
    return {**said, "value": figure(wording.value_milli)}
