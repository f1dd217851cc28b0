"""Energy: power, stream and heat of a site as plots with their limits, the four figures of the regulation, and the operator's cap."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.responses import Response

from eisbach.app import cap_power, report_energy, report_site
from eisbach.app.authorise import ABSENT
from eisbach.app.site_facts import SiteFacts
from eisbach.core.power.budget import CapCause
from eisbach.core.vocabulary.interval import month_of
from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.portal.access import FACTORY, OWN, page
from eisbach.portal.call import Call
from eisbach.portal.forms import Refused
from eisbach.portal.navigation import NavEntry
from eisbach.portal.pages import energy_plots
from eisbach.ports.translator import N_

HOURS_BACK, HOURS_BACK_LEAST, HOURS_AHEAD = 48, 6, 24
CAUSES = {
    CapCause.NONE.value: N_("nothing"),
    CapCause.GRID.value: N_("grid connection"),
    CapCause.HOT_DAY.value: N_("hot day"),
    CapCause.STREAM.value: N_("cooling permit"),
    CapCause.OPERATOR.value: N_("act of the operator"),
}
KW_MAX_DIGITS = 12
HOURS_DIGITS = 4


@page("GET", "/energy", "site:read", OWN)
def list_sites(call: Call) -> Response:
    """Show all sites."""
    rows = call.application.reader.rows("sites", {}, limit=1000).rows
    facts = call.application.sites
    sites = [{**row, "has_plant": row["site"] in facts and facts[row["site"]].plant is not None} for row in reversed(rows)]
    return call.render("energy/list.html", sites=sites)


@page("GET", "/sites/{site}/energy", "site:read", OWN)
def show_site(call: Call) -> Response:
    """Show how a site stands, what it drew by hour, and what its plant allows in the hours to come."""
    return _site(call)


@page("POST", "/sites/{site}/cap", "site:cap", FACTORY)
def cap_site(call: Call) -> Response:
    """Set or lift the operator's cap."""
    site, facts = call.parameter("site"), _facts(call)
    try:
        lifts = call.form.text("lift") != ""
        draw_mw = None if lifts else _milliwatt(call.form.text("kw"))
        hours = 0 if lifts else _hours(call.form.text("hours"))
        until_ms = call.application.clock.now() + hours * HOUR_MS if hours else 0
        call.perform(cap_power.command(call.who, facts, site=site, draw_mw=draw_mw, until_ms=until_ms))
    except Refused as refused:
        return _site(call, refused.refusals)
    return call.redirect(f"/sites/{site}/energy", "cap-lifted" if lifts else "cap-set")


def _site(call: Call, refusals: Sequence[Refusal] = ()) -> Response:
    facts, now_ms = _facts(call), call.application.clock.now()
    row = call.application.reader.row("sites", facts.site)
    now = call.ask(report_site.now(facts))
    hours = report_site.hours(call.application.reader, facts.site, now_ms, HOURS_BACK)
    outlook: list[dict[str, Any]] = []
    if facts.plant is not None:
        outlook = report_site.outlook(
            facts.plant, now["drawn_mw"], now_ms, hours_back=_hours_back(hours, now_ms), hours_ahead=HOURS_AHEAD
        )
    meter = call.application.meters.get(facts.site)
    return call.render(
        "energy/show.html",
        causes=CAUSES,
        status=422 if refusals else 200,
        refusals=refusals,
        site=row,
        now=now,
        plant=now["plant"],
        label=report_energy.weakest(one["label"] for one in hours),
        meter=meter.says() if meter is not None else "",
        figures=report_site.energy_of(hours),
        heat=_heat(hours),
        check=report_energy.check_of(call.application.reader, facts.site, month_of(now_ms)),
        plots=energy_plots.plots(call.speech, hours, outlook, now_ms, is_simulated=facts.is_simulated),
        may_cap=call.may("site:cap", (FACTORY, None)),
        typed={"kw": call.form.text("kw"), "hours": call.form.text("hours")},
        form_id=call.new_form_id(),
    )


def _hours_back(hours: Sequence[Mapping[str, Any]], now_ms: int) -> int:
    """Return how far back plots begin: with the first metered hour, within bounds."""
    first_ms = hours[0]["hour_ms"] if hours else now_ms
    return min(HOURS_BACK, max(HOURS_BACK_LEAST, (now_ms - first_ms) // HOUR_MS + 1))


def _facts(call: Call) -> SiteFacts:
    facts = call.application.sites.get(call.parameter("site"))
    if facts is None:
        raise Refused(ABSENT)
    return facts


def _heat(hours: Sequence[Mapping[str, Any]]) -> dict[str, int] | None:
    known = [one for one in hours if one["heat_offered_mj"] is not None]
    if not known:
        return None
    return {name: sum(one[f"heat_{name}_mj"] for one in known) for name in ("offered", "demanded", "delivered")}


def _milliwatt(text: str) -> int:
    """Return the milliwatt of kilowatts as a person writes them, with a point or a comma; raise Refused."""
    try:
        value = Decimal(text.replace(",", "."))
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite() or value.adjusted() > KW_MAX_DIGITS:
        what = f"{text!r} is not a power in kilowatts" if text else "The power is empty"
        raise Refused(Refusal(Reason.INVALID_ARGUMENT, what, "Write for example 500", "kw"))
    return int(value * 1_000_000)


def _hours(text: str) -> int:
    """Return for how many hours a cap holds, 0 until it is lifted; raise Refused."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= HOURS_DIGITS and int(text)):
        what = f"{text[:40]!r} is no whole number of hours from 1 to {10**HOURS_DIGITS - 1}"
        raise Refused(Refusal(Reason.INVALID_ARGUMENT, what, "Write for example 2, or nothing: until it is lifted", "hours"))
    return int(text)


PAGES = (list_sites, show_site, cap_site)
NAVIGATION = (NavEntry("/energy", N_("Energy"), "site:read", 500),)
NOTICES = {
    "cap-set": N_("The cap is set. What is above it saves and waits, spot work first."),
    "cap-lifted": N_("The cap is lifted."),
}
