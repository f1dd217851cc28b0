"""The calendar: what is free and booked over time, a quote beside the form that asks for it, holding, booking, extending, cancelling."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from eisbach.app import (
    book_capacity,
    cancel_booking,
    extend_booking,
    hold_option,
    list_bookings,
    quote_capacity,
    read_calendar,
    visible,
)
from eisbach.app.authorise import ABSENT, Place
from eisbach.app.quote_capacity import Wanted
from eisbach.core.billing.booking_rules import OnFault
from eisbach.core.booking.timetable import LEVELS
from eisbach.core.jobs.amounts import parse_count, parse_duration_ms
from eisbach.core.vocabulary.quantities import DAY_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.portal.access import BOOKING, OWN, PROJECT, page
from eisbach.portal.call import Call
from eisbach.portal.forms import Form, Refused
from eisbach.portal.navigation import NavEntry
from eisbach.ports.store import Row
from eisbach.ports.translator import N_

SPANS = {"14": N_("two weeks"), "28": N_("four weeks"), "91": N_("three months"), "366": N_("a year")}
MARKS = {"earliest": N_("earliest"), "cheapest": N_("cheapest"), "least-carbon": N_("least CO2")}
WITHIN = {"nvlink": N_("one NVLink domain"), "rack": N_("one rack"), "row": N_("one row"), "hall": N_("one hall")}
CAUSES = {
    "booked": (N_("booked"), "busy"),
    "open": (N_("window open"), "good"),
    "over": (N_("over"), "calm"),
    "cancelled": (N_("cancelled"), "calm"),
    "no-show": (N_("given back unused"), "wait"),
    "lost": (N_("ended: its nodes failed"), "bad"),
}
ON_FAULT = {OnFault.EXTEND.value: N_("longer time, where it is free"), OnFault.CREDIT.value: N_("money back")}
TYPED = {
    "project": "", "flavour": "", "nodes": "1", "length": "1d", "begin": "", "until": "", "within": "",
    "on_fault": OnFault.EXTEND.value,
}  # fmt: skip
BOOKINGS_SHOWN = 50
TICKS = {"de": "%d.%m.\n%Y", "en": "%b %d\n%Y"}


def _project_of(form: Form) -> Place:
    return PROJECT, form.text("project")


@page("GET", "/calendar", "calendar:read", OWN)
def show_calendar(call: Call) -> Response:
    """Show free and booked capacity of each pool, own bookings, and the form that asks for a quote."""
    return _page(call, {name: call.query(name) or value for name, value in TYPED.items()})


@page("POST", "/calendar/quote", "booking:quote", located_by=_project_of)
def show_quote(call: Call) -> Response:
    """Show the options beside the form; nothing is held."""
    typed = {name: call.form.text(name) for name in TYPED}
    try:
        command = quote_capacity.command(
            call.who, call.application.sites, project=typed["project"], wanted=_wanted(typed)
        )
        quote = call.perform(command)
    except Refused as refused:
        return _page(call, typed, refused=refused)
    return _page(call, typed, quote=quote)


@page("POST", "/calendar/hold", "booking:make", located_by=_project_of)
def hold(call: Call) -> Response:
    """Keep the nodes of an option for some minutes."""
    project, option = call.form.text("project"), call.form.text("option")
    typed = {**TYPED, "project": project, "on_fault": call.form.text("on_fault") or TYPED["on_fault"]}
    try:
        call.perform(hold_option.command(call.who, project=project, option=option))
    except Refused as refused:
        return _page(call, typed, refused=refused)
    held = call.ask(quote_capacity.again(project=project, option=option))
    return _page(call, typed, quote=held, held=option)


@page("POST", "/calendar/book", "booking:make", located_by=_project_of)
def book(call: Call) -> Response:
    """Book an option; the same form sent again leads to the same booking."""
    project, option = call.form.text("project"), call.form.text("option")
    typed = {**TYPED, "project": project, "on_fault": call.form.text("on_fault") or TYPED["on_fault"]}
    try:
        on_fault = _on_fault(typed)
        command = book_capacity.command(call.who, call.application.sites, project=project, option=option, on_fault=on_fault)
        made = call.perform(command)
    except Refused as refused:
        newer = refused.refusals[0].values.get("quote")
        return _page(call, typed, quote=newer if isinstance(newer, Mapping) else None, refused=refused)
    return call.redirect(f"/bookings/{made['booking']}", "booking-made")


@page("GET", "/bookings/{booking}", "booking:read", BOOKING, "booking")
def show_booking(call: Call) -> Response:
    """Show a booking, its jobs, its rules, and what cancelling it would cost now."""
    return _booking(call)


@page("POST", "/bookings/{booking}/cancel", "booking:cancel", BOOKING, "booking")
def cancel(call: Call) -> Response:
    """Cancel a booking at what its page says."""
    booking = call.parameter("booking")
    try:
        call.perform(cancel_booking.command(call.who, booking=booking))
    except Refused as refused:
        return _booking(call, refused)
    return call.redirect(f"/bookings/{booking}", "booking-cancelled")


@page("POST", "/bookings/{booking}/extension", "booking:extend", BOOKING, "booking")
def show_extension(call: Call) -> Response:
    """Show what a longer window costs on the same nodes; nothing is held."""
    typed = call.form.text("length")
    try:
        length = parse_duration_ms(typed)
        if length is None:
            raise _wrong("length", f"{typed!r} is no duration", "Write for example 3d, 12h or 90m")
        booking, sites = call.parameter("booking"), call.application.sites
        quote = call.perform(extend_booking.command(call.who, sites, booking=booking, length_ms=length))
    except Refused as refused:
        return _booking(call, refused, length=typed)
    return _booking(call, length=typed, quote=quote)


@page("POST", "/bookings/{booking}/extend", "booking:extend", BOOKING, "booking")
def extend(call: Call) -> Response:
    """Make a booking longer at the price that was shown; the same form sent again changes nothing more."""
    booking, option = call.parameter("booking"), call.form.text("option")
    try:
        project = str(_row(call)["project"])
        quote = call.ask(quote_capacity.again(project=project, option=option))
        if quote["extends"] != booking:
            raise Refused(book_capacity.expired(option))
        call.perform(book_capacity.command(call.who, call.application.sites, project=project, option=option))
    except Refused as refused:
        return _booking(call, refused)
    return call.redirect(f"/bookings/{booking}", "booking-extended")


def _row(call: Call) -> Row:
    row = call.application.reader.row("bookings", call.parameter("booking"))
    if row is None:
        raise Refused(ABSENT)
    return row


def _booking(
    call: Call, refused: Refused | None = None, *, length: str = "1d", quote: Mapping[str, Any] | None = None
) -> Response:
    booking = call.parameter("booking")
    row = _row(call)
    terms = call.ask(list_bookings.question(booking=booking))
    return call.render(
        "bookings/show.html",
        status=200 if refused is None else 422,
        refusals=() if refused is None else refused.refusals,
        booking=list_bookings.told(row, call.application.clock.now()),
        terms=terms,
        causes=CAUSES,
        on_fault=ON_FAULT,
        may_cancel=bool(terms) and call.may("booking:cancel", (BOOKING, booking)),
        may_extend=bool(terms) and call.may("booking:extend", (BOOKING, booking)),
        length=length,
        extension=quote,
        fresh_id=call.fresh_form_id,
    )


def _page(
    call: Call, typed: Mapping[str, str], quote: Mapping[str, Any] | None = None, refused: Refused | None = None, held: str = ""
) -> Response:
    span = call.query("days") if call.query("days") in SPANS else "28"
    now = call.application.clock.now()
    rows = visible.projects_of(call.application.reader, call.who)
    everything = not visible.which_projects(call.application.reader, call.who)
    seen = None if everything else {row["project"] for row in rows}
    calendar = call.ask(read_calendar.question(from_ms=now, until_ms=now + int(span) * DAY_MS, projects=seen))
    projects = {row["project"]: row["name"] for row in rows if call.may("booking:quote", (PROJECT, row["project"]))}
    return call.render(
        "bookings/calendar.html",
        status=200 if refused is None else 422,
        refusals=() if refused is None else refused.refusals,
        pools=[_pool(call, pool, calendar["until_ms"]) for pool in calendar["pools"]],
        bookings=_bookings(call, rows),
        causes=CAUSES,
        spans={days: call.speech.text(label) for days, label in SPANS.items()},
        span=span,
        projects=projects,
        flavours={name: name for name in sorted({pool["flavour"] for pool in calendar["pools"]})},
        on_fault={name: call.speech.text(label) for name, label in ON_FAULT.items()},
        within={"": call.speech.text(N_("anywhere at one site")), **{level: call.speech.text(WITHIN[level]) for level in LEVELS}},
        typed=typed,
        quote=quote,
        held=held,
        marks=MARKS,
        form_id=call.new_form_id() if refused is not None else "",
        fresh_id=call.fresh_form_id,
    )


def _bookings(call: Call, projects: Sequence[Row]) -> list[dict[str, Any]]:
    names = {row["project"]: row["name"] for row in projects}
    found = call.application.reader.rows("bookings", {"project": tuple(names)}, limit=BOOKINGS_SHOWN) if names else None
    now = call.application.clock.now()
    return [{**list_bookings.told(row, now), "project_name": names[row["project"]]} for row in (found.rows if found is not None else ())]


def _pool(call: Call, pool: Mapping[str, Any], until_ms: int) -> dict[str, Any]:
    """Return a pool with its plot: what is booked, closed and free from each step to the next, and the same as a table."""
    steps = [*pool["steps"], {**pool["steps"][-1], "at_ms": until_ms}]
    at = [_date(step["at_ms"]) for step in steps]
    words = {"booked": N_("booked"), "closed": N_("closed for maintenance"), "free": N_("free")}
    data = [
        {
            "type": "scatter", "mode": "lines", "line": {"shape": "hv", "width": 1}, "stackgroup": "nodes",
            "name": call.speech.text(label), "x": at, "y": [step[what] for step in steps],
        }
        for what, label in words.items()
    ]  # fmt: skip
    layout = {"height": 260, "xaxis": {"type": "date", "tickformat": TICKS.get(call.speech.language, TICKS["en"])}, "yaxis": {"title": {"text": call.speech.text(N_("nodes"))}, "rangemode": "tozero"}}
    rows = [
        [call.speech.instant(step["at_ms"]), *(call.speech.number(step[what]) for what in words)] for step in pool["steps"][:200]
    ]
    head = [call.speech.text(N_("From")), *(call.speech.text(label) for label in words.values())]
    return {**pool, "id": f"pool-{pool['site']}-{pool['flavour'].replace('.', '-')}", "spec": {"data": data, "layout": layout}, "head": head, "rows": rows}


def _date(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _wanted(typed: Mapping[str, str]) -> Wanted:
    nodes, length = parse_count(typed["nodes"]), parse_duration_ms(typed["length"])
    if nodes is None:
        raise _wrong("nodes", f"{typed['nodes']!r} is no number of nodes", "Write a whole number, such as 16")
    if length is None:
        raise _wrong("length", f"{typed['length']!r} is no duration", "Write for example 3d, 12h or 90m")
    return Wanted(
        flavour=typed["flavour"],
        nodes=nodes,
        length_ms=length,
        from_ms=_instant(typed, "begin"),
        until_ms=_instant(typed, "until"),
        within=typed["within"],
    )


def _on_fault(typed: Mapping[str, str]) -> OnFault:
    if typed["on_fault"] not in ON_FAULT:
        raise _wrong("on_fault", f"{typed['on_fault']!r} is not known", f"Known are {', '.join(ON_FAULT)}")
    return OnFault(typed["on_fault"])


def _instant(typed: Mapping[str, str], name: str) -> int | None:
    """Return the instant of a field such as `2026-12-01T08:00`, in UTC; None where it is empty."""
    if not typed[name]:
        return None
    try:
        return int(datetime.fromisoformat(typed[name]).replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        raise _wrong(name, f"{typed[name]!r} is no instant", "Write for example 2026-12-01T08:00") from None


def _wrong(where: str, what: str, do: str) -> Refused:
    return Refused(Refusal(Reason.INVALID_ARGUMENT, what, do, where))


PAGES = (show_calendar, show_quote, hold, book, show_booking, cancel, show_extension, extend)
NAVIGATION = (NavEntry("/calendar", N_("Calendar"), "calendar:read", 250),)
NOTICES = {
    "booking-made": N_("It is booked, and its price is set aside."),
    "booking-cancelled": N_("The booking is cancelled."),
    "booking-extended": N_("The booking is longer, and the price of that is set aside."),
}
