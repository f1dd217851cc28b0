"""Rows that follow from events about quotes held, bookings and what becomes of them."""

from collections.abc import Callable, Mapping
from typing import Any

from eisbach.app import events_booking as e
from eisbach.app.event_body import Body
from eisbach.app.row_operations import Insert, Op, Update

PRIMARY_KEYS: dict[str, str] = {"bookings": "booking"}
TEXT_COLUMNS: dict[str, str] = {}

ENDED = "ended"
"""State of a booking that is over; before it, a booking is `booked`, whether its window has begun or not."""


def _made(seq: int, at_ms: int, body: e.BookingMade, texts: Mapping[str, str]) -> list[Op]:
    row = {
        "booking": body.booking,
        "project": body.project,
        "option": body.option,
        "state": "booked",
        "cause": "",
        "site": body.site,
        "simulated": body.simulated,
        "flavour": body.flavour,
        "node_count": len(body.nodes),
        "nodes": " ".join(body.nodes),
        "lost": "",
        "level": body.level,
        "domain": body.domain,
        "from_ms": body.from_ms,
        "until_ms": body.until_ms,
        "price": _price(body.stretches),
        "charged": 0,
        "credited": 0,
        "fee": 0,
        "settled_ms": body.from_ms,
        "tariff": body.tariff,
        "energy_wh": body.energy_wh,
        "carbon_g": body.carbon_g,
        "on_fault": body.on_fault,
        "given_until_ms": None,
        "relieved": 0,
        "made_by": body.by,
        "made_ms": at_ms,
        "ended_ms": None,
    }
    return [Insert("bookings", row)]


def _extended(seq: int, at_ms: int, body: e.BookingExtended, texts: Mapping[str, str]) -> list[Op]:
    changes = {
        "until_ms": body.until_ms,
        "price": _price(body.stretches),
        "settled_ms": body.settled_ms,
        "charged": body.charged,
        "energy_wh": body.energy_wh,
        "carbon_g": body.carbon_g,
    }
    return [Update("bookings", body.booking, changes)]


def _moved(seq: int, at_ms: int, body: e.BookingMoved, texts: Mapping[str, str]) -> list[Op]:
    return [Update("bookings", body.booking, {"nodes": " ".join(body.nodes)})]


def _reduced(seq: int, at_ms: int, body: e.BookingReduced, texts: Mapping[str, str]) -> list[Op]:
    changes = {
        "nodes": " ".join(body.nodes),
        "node_count": len(body.nodes),
        "lost": " ".join(body.lost),
        "price": _price(body.stretches),
        "settled_ms": body.settled_ms,
        "charged": body.charged,
    }
    if body.until_ms:
        changes |= {"until_ms": body.until_ms, "given_until_ms": body.until_ms}
    return [Update("bookings", body.booking, changes)]


def _settled(seq: int, at_ms: int, body: e.BookingSettled, texts: Mapping[str, str]) -> list[Op]:
    changes = {"settled_ms": body.settled_ms, "charged": body.charged, "credited": body.credited, "relieved": body.relieved}
    if body.stretches:
        changes["price"] = _price(body.stretches)
    return [Update("bookings", body.booking, changes)]


def _ended(seq: int, at_ms: int, body: e.BookingEnded, texts: Mapping[str, str]) -> list[Op]:
    changes = {"state": ENDED, "cause": body.cause, "charged": body.charged, "fee": body.fee, "ended_ms": at_ms}
    return [Update("bookings", body.booking, changes)]


def _closed(seq: int, at_ms: int, body: e.BookingClosed, texts: Mapping[str, str]) -> list[Op]:
    return [Update("bookings", body.booking, {"credited": body.credited})]


def _price(stretches: tuple[e.StretchTuple, ...]) -> int:
    return sum(price for _, _, price in stretches)


ROWS: dict[type[Body], Callable[[int, int, Any, Mapping[str, str]], list[Op]]] = {
    e.BookingMade: _made,
    e.BookingExtended: _extended,
    e.BookingMoved: _moved,
    e.BookingReduced: _reduced,
    e.BookingSettled: _settled,
    e.BookingEnded: _ended,
    e.BookingClosed: _closed,
}
