"""A project: its month's account, what its jobs were charged, and its limit."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from eisbach.app import report_cost, set_budget
from eisbach.app.authorise import ABSENT
from eisbach.core.vocabulary.interval import month_of
from eisbach.core.vocabulary.money import EURO, euro_text
from eisbach.portal.access import PROJECT, page
from eisbach.portal.call import Call
from eisbach.portal.forms import Refused, euro_of
from eisbach.ports.translator import N_

CHARGES_DRAWN = 12


@page("GET", "/projects/{project}", "cost:read", PROJECT, "project")
def show_project(call: Call) -> Response:
    """Show the account of this month, the dearest jobs, and the form that changes the limit."""
    return _page(call)


@page("POST", "/projects/{project}/budget", "project:budget", PROJECT, "project")
def change_budget(call: Call) -> Response:
    """Set the monthly limit; what it no longer covers is stopped, the newest first."""
    project = call.parameter("project")
    try:
        amount = euro_of(call.form, "budget", call.speech.language)
        answer = call.perform(set_budget.command(call.who, project=project, budget_micro_eur=amount))
    except Refused as refused:
        return _page(call, refused)
    return call.redirect(f"/projects/{project}", "budget-stops" if answer["stopping"] else "budget-set")


def _page(call: Call, refused: Refused | None = None) -> Response:
    project = call.parameter("project")
    row = call.application.reader.row("projects", project)
    if row is None:
        raise Refused(ABSENT)
    month = month_of(call.application.clock.now())
    statement = report_cost.of_project(call.application.reader, project, month, month)
    return call.render(
        "projects/show.html",
        status=200 if refused is None else 422,
        refusals=() if refused is None else refused.refusals,
        project=row,
        account=statement,
        charges=_drawn(statement["jobs"]),
        charged=[[one["name"] or one["job"], call.speech.money(one["charged"])] for one in statement["jobs"][:CHARGES_DRAWN]],
        typed=call.form.text("budget") or _typed(row["budget"], call.speech.language),
        may_change=call.may("project:budget", (PROJECT, project)),
        form_id=call.new_form_id(),
    )


def _typed(micro_eur: int, language: str) -> str:
    """Return an amount as somebody would type it into a field of this language."""
    text = euro_text(micro_eur)
    return text.replace(".", ",") if language == "de" else text


def _drawn(jobs: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the dearest jobs as a figure of bars."""
    shown = list(reversed(jobs[:CHARGES_DRAWN]))
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": [one["job"] for one in shown],
        "x": [one["charged"] / EURO for one in shown],
        "hovertemplate": "%{x} EUR<extra></extra>",
    }
    names = [_plain(one["name"] or one["job"]) for one in shown]
    axis = {"tickmode": "array", "tickvals": [one["job"] for one in shown], "ticktext": names}
    return {"data": [bars], "layout": {"yaxis": axis, "xaxis": {"title": {"text": "EUR"}}, "height": 120 + 28 * len(shown)}}


def _plain(name: str) -> str:
    """Return a name as plotly draws it as plain text: it reads a few tags of HTML (and no more) in its labels."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


PAGES = (show_project, change_budget)
NOTICES = {
    "budget-set": N_("The limit is set; it holds from now on."),
    "budget-stops": N_("The limit is set. Work that it no longer covers is being stopped, the newest first."),
}
