"""What a booking costs, when, and what becomes of its price: stretches of time, each with a price that is due evenly.

An extension appends a stretch; a cancellation or a lost node splits one and lowers what follows, and what a lost node took
may come back as a stretch after the end. Everything else follows from the stretches: what is due by an instant, and what each calendar month has to set aside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from eisbach.core.billing.booking_rules import BookingRules
from eisbach.core.vocabulary.interval import month_end, month_of
from eisbach.core.vocabulary.invariant import require
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS

PERMILLE = 1000


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one instant until another, `price` micro-euro in all, due evenly over it."""

    from_ms: int
    until_ms: int
    price: int

    def due(self, at_ms: int) -> int:
        """Return what of the price is due by an instant, rounded down."""
        passed = min(max(at_ms, self.from_ms), self.until_ms) - self.from_ms
        return self.price * passed // (self.until_ms - self.from_ms)


Stretches = Sequence[Stretch]


def price_of(stretches: Stretches) -> int:
    """Return the price of all stretches in micro-euro."""
    return sum(one.price for one in stretches)


def due_by(stretches: Stretches, at_ms: int) -> int:
    """Return what is due by an instant in micro-euro; all of it at the end of the last stretch."""
    return sum(one.due(at_ms) for one in stretches)


def by_month(stretches: Stretches, from_ms: int, until_ms: int) -> dict[str, int]:
    """Return what is due between two instants in each calendar month of that time.

    Neighbouring intervals add up to the micro-euro: each amount is a difference of what is due by two instants.
    """
    found: dict[str, int] = {}
    for one in stretches:
        start, last = max(one.from_ms, from_ms), min(one.until_ms, until_ms)
        while start < last:
            end = min(month_end(start), last)
            period = month_of(start)
            found[period] = found.get(period, 0) + one.due(end) - one.due(start)
            start = end
    return found


def cut(stretches: Stretches, at_ms: int, kept_permille: int) -> tuple[Stretch, ...]:
    """Return the stretches with what is due after an instant lowered to so many thousandths, rounded down.

    What is due by the instant stays to the micro-euro.
    """
    found: list[Stretch] = []
    for one in stretches:
        if one.until_ms <= at_ms:
            found.append(one)
            continue
        before = one.due(at_ms)
        split = max(one.from_ms, at_ms)
        if split > one.from_ms:
            found.append(Stretch(one.from_ms, split, before))
        found.append(Stretch(split, one.until_ms, (one.price - before) * kept_permille // PERMILLE))
    return tuple(found)


def without_nodes(stretches: Stretches, at_ms: int, lost: int, nodes: int) -> tuple[Stretch, ...]:
    """Return the stretches of a booking that loses some of its nodes at an instant and gets none for them.

    The rest of the price falls in proportion, rounded down: this is the credit that the owner gets by itself.
    """
    require(0 < lost <= nodes, "a booking loses no more nodes than it has")
    found: list[Stretch] = []
    for one in cut(stretches, at_ms, PERMILLE):
        found.append(one if one.until_ms <= at_ms else Stretch(one.from_ms, one.until_ms, one.price * (nodes - lost) // nodes))
    return tuple(found)


def longer_for(stretches: Stretches, at_ms: int, lost: int, nodes: int) -> tuple[Stretch, ...] | None:
    """Return the stretches of a booking that keeps the rest of its nodes longer in place of those that it loses; None without a rest.

    As many node-hours follow directly after the end as are lost before it, rounded up to a full minute, at the price that
    falls away there: the price of the whole stays to the micro-euro.
    """
    if lost >= nodes:
        return None
    reduced = without_nodes(stretches, at_ms, lost, nodes)
    end = reduced[-1].until_ms
    left_ms = end - max(at_ms, stretches[0].from_ms)
    longer = -(-left_ms * lost // ((nodes - lost) * MINUTE_MS)) * MINUTE_MS
    return (*reduced, Stretch(end, end + longer, price_of(stretches) - price_of(reduced)))


def cut_between(stretches: Stretches, from_ms: int, until_ms: int, kept_permille: int) -> tuple[Stretch, ...]:
    """Return the stretches with what is due between two instants lowered to so many thousandths, rounded down."""
    found: list[Stretch] = []
    for one in stretches:
        first, last = max(one.from_ms, from_ms), min(one.until_ms, until_ms)
        if first >= last:
            found.append(one)
            continue
        begun, over = one.due(first), one.due(last)
        parts = (
            Stretch(one.from_ms, first, begun),
            Stretch(first, last, (over - begun) * kept_permille // PERMILLE),
            Stretch(last, one.until_ms, one.price - over),
        )
        found += [part for part in parts if part.from_ms < part.until_ms]
    return tuple(found)


def joined(stretches: Stretches, at_ms: int) -> tuple[Stretch, ...]:
    """Return the stretches with all that are over by an instant as one: what is due then and later stays to the micro-euro."""
    over = [one for one in stretches if one.until_ms <= at_ms]
    if len(over) < 2:
        return tuple(stretches)
    return (Stretch(over[0].from_ms, over[-1].until_ms, price_of(over)), *(one for one in stretches if one.until_ms > at_ms))


class Ending(NamedTuple):
    """How a booking ends before its time: what is due in all, of which `fee` is for time that nobody will use."""

    due: int
    fee: int


def ending_of(stretches: Stretches, at_ms: int, kept_permille: int, given: Sequence[tuple[int, int]] = ()) -> Ending:
    """Return what is due when a booking ends at an instant and this share of what is left of its price is kept.

    Of the times in `given`, which its owner got for nodes that failed, nothing is kept: who does not want them has his money back.
    """
    passed = due_by(stretches, at_ms)
    free = sum(due_by(stretches, until) - due_by(stretches, max(start, at_ms)) for start, until in given if until > at_ms)
    fee = (price_of(stretches) - passed - free) * kept_permille // PERMILLE
    return Ending(passed + fee, fee)


def cancel_permille(rules: BookingRules, from_ms: int, now: int) -> int:
    """Return which share of what is left of the price is kept when the owner cancels now, in thousandths."""
    return 0 if now <= from_ms - rules.free_before_ms else rules.cancel_permille


def no_show_at(rules: BookingRules, from_ms: int, until_ms: int) -> int | None:
    """Return when a booking is given back that its owner has not used; None where it never is.

    It is never later than a quarter of the window.
    """
    if not rules.no_show_ms:
        return None
    return from_ms + min(rules.no_show_ms, (until_ms - from_ms) // 4)


def resale_share(rules: BookingRules, paid: int) -> int:
    """Return the owner's share of what spot paid on the booking's nodes, rounded down."""
    return paid * rules.resale_permille // PERMILLE


def paid_inside(amount: int, held_from: int, held_until: int, shares: int, inside: Sequence[tuple[int, int]]) -> int:
    """Return which part of a spot charge was for booked time, rounded down.

    The charge is for `shares` equal shares held over one interval; `inside` are the windows of those that stand on booked
    nodes, one for each.
    """
    length = (held_until - held_from) * shares
    if length <= 0:
        return 0
    met = sum(max(0, min(held_until, until) - max(held_from, start)) for start, until in inside)
    return amount * met // length


def settle_at(stretches: Stretches, settled_ms: int, now: int) -> int | None:
    """Return up to when a booking is settled now: on each full hour of its window and at its end; None before that."""
    start, end = stretches[0].from_ms, stretches[-1].until_ms
    reached = min(now, end)
    if reached <= start or reached <= settled_ms:
        return None
    if reached == end or month_of(reached) != month_of(max(start, settled_ms)) or reached - max(start, settled_ms) >= HOUR_MS:
        return reached
    return None
