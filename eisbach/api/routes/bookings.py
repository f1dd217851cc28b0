"""Quotes, holds, bookings, and the calendar that they stand in."""

from typing import Annotated, Any

from fastapi import Path
from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import representations, schemas
from eisbach.api import schemas_bookings as shown
from eisbach.api.access import BOOKING, OWN, PROJECT, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer, perform, settled
from eisbach.api.errors import ABSENT, Problem, documented
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
from eisbach.app.quote_capacity import Wanted
from eisbach.core.billing.booking_rules import OnFault

router = APIRouter(route_class=GuardedRoute, tags=["bookings"])
BookingPath = Annotated[str, Path(description="The booking's id.")]
_MONEY = ("price", "charged", "credited", "relieved", "fee", "cancel_due", "cancel_fee")
_GONE = documented(of_409="The option is taken; a new quote is in `errors[0].values.quote`.", of_410="The quote has expired.")


@router.post("/v1/projects/{project}/quotes", status_code=201, response_model=shown.Quote, summary="Ask for a quote")
@allow("booking:quote", PROJECT, "project")
async def quote(call: CallNow, project: schemas.ProjectPath, new: shown.NewQuote) -> Response:
    """Return up to five ways to have so many nodes for so long, with prices that hold until the quote expires."""
    wanted = Wanted(
        flavour=new.flavour,
        nodes=new.nodes,
        length_ms=new.length_ms,
        from_ms=shown.instant_ms(new.from_at),
        until_ms=shown.instant_ms(new.until_at),
        within=new.within or "",
    )
    command = quote_capacity.command(call.actor, call.application.sites, project=project, wanted=wanted)
    return await perform(call, command, 201, _told)


@router.post(
    "/v1/projects/{project}/holds", status_code=201, response_model=shown.HeldOption, responses=_GONE, summary="Hold an option"
)
@allow("booking:make", PROJECT, "project")
async def hold(call: CallNow, project: schemas.ProjectPath, chosen: shown.ChosenOption) -> Response:
    """Keep the nodes of an option for some minutes, at no price."""
    return await perform(call, hold_option.command(call.actor, project=project, option=chosen.option), 201, _told)


@router.delete("/v1/projects/{project}/holds/{option}", response_model=shown.HeldOption, summary="Let a held option go")
@allow("booking:make", PROJECT, "project")
async def release(
    call: CallNow, project: schemas.ProjectPath, option: Annotated[str, Path(description="`<quote>.<n>`", max_length=128)]
) -> Response:
    """Let an option go before its time; one that is not held is let go already."""
    return await perform(call, hold_option.release(call.actor, project=project, option=option), 200, _told)


@router.post(
    "/v1/projects/{project}/bookings", status_code=201, response_model=shown.BookedOption, responses=_GONE, summary="Book an option"
)
@allow("booking:make", PROJECT, "project")
async def book(call: CallNow, project: schemas.ProjectPath, chosen: shown.OptionToBook) -> Response:
    """Book an option and set its price aside. The same option once more answers with the same booking, another one of its quote with 409."""
    on_fault = OnFault(chosen.on_fault)
    command = book_capacity.command(
        call.actor, call.application.sites, project=project, option=chosen.option, on_fault=on_fault
    )
    return await perform(call, command, 201, _told)


@router.get("/v1/projects/{project}/bookings", response_model=shown.Bookings, summary="List the bookings of a project")
@allow("booking:read", PROJECT, "project")
def list_all(
    call: CallNow, project: schemas.ProjectPath, cursor: schemas.Cursor = None, limit: schemas.Limit = 100
) -> Response:
    """Return a page of bookings, newest first."""
    found, now = call.application.reader.rows("bookings", {"project": project}, cursor=cursor, limit=limit), call.application.clock.now()
    return JsonAnswer(representations.page(found, lambda row: _told(list_bookings.told(row, now))))


@router.get("/v1/bookings/{booking}", response_model=shown.BookingWithTerms, summary="Look at a booking")
@allow("booking:read", BOOKING, "booking")
async def read(call: CallNow, booking: BookingPath) -> Response:
    """Return a booking, and while it lasts what cancelling it would cost now."""
    row = call.application.reader.row("bookings", booking)
    if row is None:
        raise Problem(ABSENT)
    terms = await settled(call, call.application.ask(list_bookings.question(booking=booking)))
    return JsonAnswer(_told({**list_bookings.told(row, call.application.clock.now()), **terms}))


@router.post("/v1/bookings/{booking}/cancel", response_model=shown.EndedBooking, summary="Cancel a booking")
@allow("booking:cancel", BOOKING, "booking")
async def cancel(call: CallNow, booking: BookingPath) -> Response:
    """End a booking now, at what its rules say (see `cancel_due` of the booking)."""
    return await perform(call, cancel_booking.command(call.actor, booking=booking), 200, _told)


@router.post(
    "/v1/bookings/{booking}/extensions", status_code=201, response_model=shown.Quote, summary="Ask what a longer window costs"
)
@allow("booking:extend", BOOKING, "booking")
async def extend(call: CallNow, booking: BookingPath, new: shown.NewExtension) -> Response:
    """Quote the same nodes for the time after the window; booking the option makes the booking longer."""
    command = extend_booking.command(call.actor, call.application.sites, booking=booking, length_ms=new.length_ms)
    return await perform(call, command, 201, _told)


@router.get("/v1/calendar", response_model=shown.Calendar, summary="What is free and booked over time")
@allow("calendar:read", OWN)
async def calendar(
    call: CallNow,
    from_at: shown.FromQuery = None,
    until_at: shown.UntilQuery = None,
) -> Response:
    """Return for each pool how many nodes are free, booked and closed; own bookings by name, of others only numbers."""
    seen = visible.which_projects(call.application.reader, call.actor)
    projects = None if not seen else {row["project"] for row in visible.projects_of(call.application.reader, call.actor, 1000)}
    ask = read_calendar.question(
        from_ms=shown.instant_ms(from_at), until_ms=shown.instant_ms(until_at), projects=projects
    )
    found = await settled(call, call.application.ask(ask))
    return JsonAnswer(_told(found))


def _told(answer: Any) -> Any:
    """Return an answer with amounts and instants as `/v1` writes them."""
    if isinstance(answer, dict):
        found: dict[str, Any] = {}
        for name, value in answer.items():
            if name in _MONEY and isinstance(value, int):
                found.update(representations.money(name, value))
            elif name in ("notice_ms", "length_ms", "rules"):
                found[name] = value
            elif name == "held_until_ms":
                found["held_until_at"] = representations.instant_text(value or None)
            elif name == "at_ms":
                found["at"] = representations.instant_text(value)
            elif name.endswith("_ms"):
                found[f"{name[:-3]}_at"] = representations.instant_text(value)
            else:
                found[name] = _told(value)
        return found
    return [_told(one) for one in answer] if isinstance(answer, list | tuple) else answer
