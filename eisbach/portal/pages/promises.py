"""Public promises against delivery: each with its wordings, what is so now, and whether it is kept."""

from typing import Any

from starlette.responses import Response

from eisbach.app import report_promises
from eisbach.app.authorise import ABSENT
from eisbach.app.promise_register import Comparison, Evidence
from eisbach.app.promise_wordings import WordingFacts
from eisbach.app.report_promises import PromiseReport, Verdict, figure
from eisbach.portal.access import OWN, page
from eisbach.portal.call import Call
from eisbach.portal.forms import Refused
from eisbach.portal.navigation import NavEntry
from eisbach.portal.speech import Speech
from eisbach.ports.translator import N_

VERDICTS = {
    Verdict.KEPT: (N_("kept"), "good"),
    Verdict.NOT_KEPT: (N_("not kept"), "bad"),
    Verdict.OPEN: (N_("open"), "wait"),
    Verdict.CANNOT_BE_MEASURED: (N_("cannot be measured"), "calm"),
}
COMPARISONS = {
    Comparison.AT_LEAST: N_("at least {figure}"),
    Comparison.AROUND: N_("around {figure}"),
    Comparison.UP_TO: N_("up to {figure}"),
}
UNITS = {"GPUs": N_("{value} GPUs"), "months": N_("{value} months"), "exaflops": N_("{value} exaflops")}
EVIDENCE = {
    Evidence.PRIMARY: N_("read at the speaker's own page"),
    Evidence.SECONDARY: N_("read in a report"),
    Evidence.UNVERIFIED: N_("unverified: no page with this wording was found"),
}
FINDINGS = {
    "gpus-commissioned": N_("{gpus} GPUs are commissioned here."),
    "gpus-commissioned-and-simulated": N_("{gpus} GPUs are commissioned here; {simulated} simulated ones do not count."),
    "first-gpu": N_("The first GPU was commissioned here on {until}, {months} months after {from}."),
    "no-gpu-yet": N_("No GPU that is not simulated is commissioned here; {months} months have passed since {from}."),
    "no-precision": N_(
        "No precision is stated. Over 10,000 GPUs it is {tflops} TFLOPS each; of the dense peak figures of a B200 {below} is next"
        " below and {above} next above."
    ),
    "no-gpu-time": N_("No GPU that is not simulated has been commissioned here for any time."),
    "gpu-time-held": N_("{percent} % of {hours} GPU hours commissioned here were held by jobs."),
    "renewable-not-measured": N_("Not measured here yet."),
    "renewable-share": N_("{percent} % of the energy of {sites} was renewable, by the operator's word in the site file."),
    "not-by-one-factory": N_(
        "This factory knows its own inventory and not Germany's; nobody publishes the figure to compare with."
    ),
    "no-measure": N_("This program has no measure for it."),
}
DECIMAL = ("months", "percent")
"""Values of findings that are written as each language writes decimals."""
CEILING = N_("\"Up to\" names a ceiling without a floor, which any number keeps.")


@page("GET", "/promises", "promises:read", OWN)
def list_promises(call: Call) -> Response:
    """Show every public promise with its verdict."""
    return call.render("promises/list.html", promises=told_promises(call))


@page("GET", "/promises/{promise}", "promises:read", OWN)
def show_promise(call: Call) -> Response:
    """Show one public promise with every wording ever recorded."""
    reports = call.ask(report_promises.question())
    found = next((one for one in reports if one.promise == call.parameter("promise")), None)
    if found is None:
        raise Refused(ABSENT)
    wordings = [_wording(call.speech, one) for one in reversed(found.history)]
    return call.render("promises/show.html", promise=_told(call.speech, found), wordings=wordings)


def told_promises(call: Call) -> list[dict[str, Any]]:
    """Return every public promise in the words of a page."""
    return [_told(call.speech, report) for report in call.ask(report_promises.question())]


def _told(speech: Speech, report: PromiseReport) -> dict[str, Any]:
    word, kind = VERDICTS[report.verdict]
    values = {name: speech.number(float(value), 1) if name in DECIMAL else value for name, value in report.measured.values.items()}
    says = speech.text(FINDINGS[report.measured.finding], **values)
    return {
        "id": report.promise,
        "title": report.wording.title_de if speech.language == "de" else report.wording.title,
        "promised": _promised(speech, report.wording),
        "is_unverified": report.wording.evidence == Evidence.UNVERIFIED.value,
        "says": says,
        "why": speech.text(CEILING) if report.why == "ceiling-without-floor" else "",
        "verdict": speech.text(word),
        "kind": kind,
        "due": report.wording.due if report.verdict is Verdict.OPEN else "",
        "is_dropped": report.is_dropped,
        "times": len(report.history),
    }


def _wording(speech: Speech, wording: WordingFacts) -> dict[str, Any]:
    names = ("quote", "language", "date", "speaker", "source", "url")
    said = {name: getattr(wording, name) for name in names}
    return {**said, "evidence": speech.text(EVIDENCE[Evidence(wording.evidence)]), "promised": _promised(speech, wording)}


def _promised(speech: Speech, wording: WordingFacts) -> str:
    unit = UNITS.get(wording.unit)
    value = wording.value_milli / 1000
    decimals = len((figure(wording.value_milli) or "").partition(".")[2])
    shown = speech.percent(value) if unit is None else speech.text(unit, value=speech.number(value, decimals))
    return speech.text(COMPARISONS[Comparison(wording.comparison)], figure=shown)


PAGES = (list_promises, show_promise)
NAVIGATION = (NavEntry("/promises", N_("Promises"), "promises:read", 700),)
