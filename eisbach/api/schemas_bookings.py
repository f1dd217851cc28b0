"""Schemas of `/v1` about quotes, bookings and the calendar."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import AwareDatetime, Field

from eisbach.api.schemas import Asked, At, Euro, MicroEuro, Paged, Told

Within = Literal["nvlink", "rack", "row", "hall"]
Instant = Annotated[AwareDatetime | None, Field(strict=False, description="RFC 3339 with an offset, such as 2026-12-01T08:00:00Z.")]

FIRST_INSTANT = datetime(2000, 1, 1, tzinfo=UTC)
"""Nothing was booked before; an earlier year is a slip of the pen."""
FromQuery = Annotated[AwareDatetime | None, Query(ge=FIRST_INSTANT, description="From when, 2000 at the earliest; now where it is left out.")]
UntilQuery = Annotated[AwareDatetime | None, Query(ge=FIRST_INSTANT, description="Until when; four weeks where it is left out.")]


class NewQuote(Asked):
    flavour: str = Field(min_length=1, max_length=63, description="Flavour or accelerator.", examples=["b200.8"])
    nodes: int = Field(description="Whole nodes.", examples=[16])
    length_ms: int = Field(description="For how long.", examples=[259_200_000])
    from_at: Instant = Field(default=None, description="It begins no earlier than this; null: as soon as possible.")
    until_at: Instant = Field(default=None, description="It ends by this; null: as far ahead as is searched.")
    within: Within | None = Field(default=None, description="A level of the topology that must hold all nodes.")


class Option(Told):
    option: str
    marks: list[str] = Field(description="What it is the best at: earliest, cheapest, least-carbon.")
    site: str
    country: str
    simulated: bool
    flavour: str
    nodes: list[str]
    level: str = Field(description="The tightest level of the topology that holds all nodes.")
    domain: str
    from_at: At
    until_at: At
    price_micro_eur: MicroEuro
    price_eur: Euro
    energy_wh: int = Field(description="At the grid connection: rating of the nodes times PUE.")
    carbon_g: int | None = Field(description="CO2 equivalent of that energy; null where nobody says what the grid emits.")
    label: str = Field(description="How energy and carbon are known.", examples=["modelled"])
    cancel_free_until_at: At


class CountedCap(Told):
    site: str
    source: str = Field(description="plant or operator.", examples=["plant"])
    cause: str = Field(examples=["hot day"])
    counts_until_at: At | None = Field(description="The cap is taken to last until then, and no other to follow; null: for all time to come.")


class Quote(Told):
    quote: str
    project: str
    expires_at: At = Field(description="Until then the prices hold. Nothing is held by a quote.")
    tariff: str
    rules: dict[str, int] = Field(description="The rules of a booking made of it (docs/bookings.md).")
    extends: str = Field(description="The booking that the option makes longer, empty for a new one.")
    notice_ms: int = Field(description="Spot on the nodes gets so much notice before its grace when the owner's work comes.")
    power_caps: list[CountedCap] = Field(description="Caps on power that were reckoned with; what a later one does not carry costs less.")
    options: list[Option]


class ChosenOption(Asked):
    option: str = Field(min_length=1, max_length=128, description="`<quote>.<n>`", examples=["quo_01.1"])


class OptionToBook(ChosenOption):
    on_fault: Literal["extend", "credit"] = Field(
        default="extend",
        description="For nodes that fail and are not replaced: longer time on the others where they are free then, or the price of the rest back.",
    )


class HeldOption(Told):
    option: str
    held_until_at: At | None


class BookedOption(Told):
    booking: str
    option: str
    again: bool = Field(description="It was booked by an earlier request already.")


class Booking(Told):
    booking: str
    project: str
    state: Literal["booked", "open", "ended"] = Field(description="booked until its window begins, open until that is over.")
    cause: str = Field(description="Why it ended: over, cancelled, no-show, lost.")
    site: str
    simulated: bool
    flavour: str
    nodes: list[str]
    lost: list[str] = Field(description="Nodes that failed and were not replaced.")
    on_fault: str = Field(description="What the owner gets for such nodes: extend or credit.", examples=["extend"])
    given_until_at: At | None = Field(description="The window ends then in place of earlier, for nodes that failed; null: it does not.")
    from_at: At
    until_at: At
    price_micro_eur: MicroEuro
    charged_micro_eur: MicroEuro
    credited_micro_eur: MicroEuro = Field(description="The owner's share of what spot paid for his idle time.")
    fee_micro_eur: MicroEuro
    relieved_micro_eur: MicroEuro = Field(description="By how much the price fell for time in which a cap on the site's power did not carry it.")


class BookingWithTerms(Booking):
    cancel_due_micro_eur: MicroEuro | None = Field(default=None, description="What would be charged in all if it were cancelled now.")
    cancel_fee_micro_eur: MicroEuro | None = Field(default=None, description="The part of that for time nobody would use.")
    rules: dict[str, int] | None = None
    jobs: list[str] | None = Field(default=None, description="Jobs that wait or run inside it.")


class Bookings(Paged):
    items: list[Booking]


class EndedBooking(Told):
    booking: str
    state: str
    cause: str
    charged_micro_eur: MicroEuro
    fee_micro_eur: MicroEuro


class NewExtension(Asked):
    length_ms: int = Field(description="By how much longer.", examples=[86_400_000])


class Step(Told):
    at: At
    booked: int
    closed: int
    free: int


class PoolCalendar(Told):
    site: str
    country: str
    simulated: bool
    flavour: str
    nodes: int
    steps: list[Step]


class Calendar(Told):
    from_at: At
    until_at: At
    pools: list[PoolCalendar]
    bookings: list[dict[str, object]] = Field(description="Those of the caller's projects; of others only numbers are told.")


def instant_ms(at: datetime | None) -> int | None:
    """Return an instant in milliseconds, rounded down."""
    return int(at.timestamp() * 1000) if at is not None else None
