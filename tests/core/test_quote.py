"""Quotes against brute force on small calendars: every start, every price, every sum of carbon, looked at one by one."""

from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisbach.core.booking.option import Mark
from eisbach.core.booking.powered import NO_CAP, Booked, PowerLeft
from eisbach.core.booking.quote import Offer, options
from eisbach.core.booking.rates import Rates, flat
from eisbach.core.booking.settle import (
    Stretch,
    by_month,
    cut,
    due_by,
    ending_of,
    joined,
    paid_inside,
    price_of,
    settle_at,
    without_nodes,
)
from eisbach.core.booking.timetable import FOREVER, Ask, Timetable, choose, free_at, windows
from eisbach.core.capacity.calendar import Calendar, Entry, EntryKind
from eisbach.core.capacity.fleet import Fleet
from eisbach.core.capacity.inventory import Node
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS

BASE = 29_700_000
"""An hour's first minute, as absolute minutes are."""


def a_stand(entries, nodes=6, rack=2):
    """Nodes in racks and two rows, with (node, from, until) entered, in minutes from BASE."""
    fleet = Fleet()
    for nth in range(nodes):
        fleet.add(
            Node(
                node=f"n{nth}", pool="p", site="s", flavour="f", cpu_milli=1000, memory_mib=1, gpus=0,
                hall="h", row=f"w{nth // (2 * rack)}", rack=f"r{nth // rack}",
            )
        )  # fmt: skip
    calendar = Calendar(fleet)
    for number, (node, start, end) in enumerate(entries):
        window = ((BASE + start) * MINUTE_MS, (BASE + end) * MINUTE_MS)
        calendar.add(Entry(EntryKind.MAINTENANCE, f"e{number}", *window, (f"n{node}",)))
    return Timetable(fleet.nodes.values(), calendar).stands["s", "f"]


def free_nodes(stand, entries, ready, at, length):
    """The nodes without any entry in a window, by looking at all of them."""
    return [
        name
        for nth, name in enumerate(stand.nodes)
        if ready.get(name, 0) <= at
        and not any(node == nth and start < at + length - BASE and at - BASE < end for node, start, end in entries)
    ]


def possible(stand, entries, ready, ask):
    """Every start at which enough nodes are free in one domain, minute by minute."""
    found = []
    for at in range(ask.first, ask.last + 1):
        free = free_nodes(stand, entries, ready, at, ask.length)
        domains = {}
        for name in free:
            domains.setdefault(stand.domains[ask.within][name] if ask.within else "", []).append(name)
        if any(len(names) >= ask.nodes for names in domains.values()):
            found.append(at)
    return found


spans = st.tuples(st.integers(0, 5), st.integers(0, 50), st.integers(1, 30)).map(lambda one: (one[0], one[1], one[1] + one[2]))
asks = st.builds(
    Ask,
    nodes=st.integers(1, 6),
    length=st.integers(1, 20),
    first=st.just(BASE + 2),
    last=st.integers(BASE + 2, BASE + 90),
    within=st.sampled_from(["", "rack", "row", "hall"]),
)


@settings(max_examples=150, deadline=None)
@given(entries=st.lists(spans, max_size=14), ask=asks, late=st.dictionaries(st.sampled_from(["n0", "n3"]), st.integers(0, 60)))
def test_windows_are_exactly_the_starts_that_there_are(entries, ask, late):
    stand, ready = a_stand(entries), {name: BASE + minutes for name, minutes in late.items()}
    found = windows(stand, ask, ready, ())
    assert all(before[1] < after[0] for before, after in pairwise(found)), "in order, apart"
    assert [at for first, last in found for at in range(first, last + 1)] == possible(stand, entries, ready, ask)


@settings(max_examples=150, deadline=None)
@given(
    entries=st.lists(spans, max_size=14),
    ask=asks,
    prices=st.lists(st.integers(0, 5), min_size=3, max_size=3),
    grams=st.lists(st.integers(0, 5), min_size=3, max_size=3),
)
def test_the_marked_options_are_the_best_that_there_are(entries, ask, prices, grams):
    stand = a_stand(entries)
    price = Rates(lambda at: prices[at // HOUR_MS % 3])
    carbon = Rates(lambda at: grams[at // HOUR_MS % 3])
    offer = Offer(stand=stand, price_hour=60_000, price=price, draw_mw=60_000_000, carbon=carbon)
    found = options([offer], ask, {}, ())
    starts = possible(stand, entries, {}, ask)
    assert bool(found) == bool(starts)
    if not starts:
        return

    def total(values, at):
        return sum(values[(at + minute) // 60 % 3] for minute in range(ask.length))

    best = {mark: one for one in found for mark in one.marks}
    assert best[Mark.EARLIEST].from_ms == starts[0] * MINUTE_MS
    cheapest, cleanest = (best[mark].from_ms // MINUTE_MS for mark in (Mark.CHEAPEST, Mark.LEAST_CARBON))
    assert total(prices, cheapest) == min(total(prices, at) for at in starts)
    assert total(grams, cleanest) == min(total(grams, at) for at in starts)
    for one in found:
        at = one.from_ms // MINUTE_MS
        assert at in starts
        assert len(set(one.nodes)) == ask.nodes
        assert set(one.nodes) <= set(free_nodes(stand, entries, {}, at, ask.length))
        if ask.within:
            assert len({stand.domains[ask.within][name] for name in one.nodes}) == 1


def test_a_gang_takes_the_tightest_domain_and_whole_racks_first():
    stand = a_stand([(1, 0, 100)])
    ask = Ask(nodes=2, length=10, first=BASE, last=BASE)
    assert choose(stand, ask, free_at(stand, ask, BASE, {}, ())) == (("n2", "n3"), "rack", "h/w0/r1")
    ask = Ask(nodes=3, length=10, first=BASE, last=BASE)
    chosen = choose(stand, ask, free_at(stand, ask, BASE, {}, ()))
    assert chosen == (("n2", "n3", "n0"), "row", "h/w0"), "a whole rack, then one node beside it"


def test_options_of_two_sites_are_compared_by_price():
    here, there = a_stand([]), a_stand([])
    there.site = "elsewhere"
    ask = Ask(nodes=1, length=60, first=BASE, last=BASE + 600)
    offers = [
        Offer(stand=here, price_hour=3_000_000, price=flat(1000), draw_mw=1),
        Offer(stand=there, price_hour=2_000_000, price=flat(1000), draw_mw=1),
    ]
    found = options(offers, ask, {}, ())
    assert [one.site for one in found if Mark.CHEAPEST in one.marks] == ["elsewhere"]
    assert found[0].price == 2_000_000


def test_a_power_cap_leaves_no_larger_gang():
    power = PowerLeft([(FOREVER, 299)], Booked())
    offer = Offer(stand=a_stand([]), price_hour=1, price=flat(1000), draw_mw=1, power=power, node_mw=100)
    assert options([offer], Ask(nodes=3, length=1, first=BASE, last=BASE), {}, ()) == ()
    assert len(options([offer], Ask(nodes=2, length=1, first=BASE, last=BASE), {}, ())) == 1


draws = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 30), st.integers(1, 50)).map(lambda one: (one[0], one[0] + one[1], one[2])),
    max_size=6,
)
caps = st.lists(st.tuples(st.one_of(st.just(FOREVER), st.integers(1, 80)), st.integers(-10, 120)), max_size=2)
begins = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=3)


@settings(max_examples=300, deadline=None)
@given(draws=draws, others=draws, caps=caps, begins=begins, length=st.integers(1, 20), needed=st.integers(0, 60))
def test_bookings_under_a_cap_are_summed_up(draws, others, caps, begins, length, needed):
    """Against every minute of every start, looked at one by one; what was on the nodes before leaves no trace."""
    booked = Booked()
    for nth, one in enumerate(others):
        booked.put(f"n{nth}", [one])
    booked.steps()
    for nth in range(len(others) + 1):
        booked.put(f"n{nth}", draws[nth::len(others) + 1])
    power = PowerLeft(caps, booked)
    starts, end = [], -1
    for first, more in sorted(begins):
        if first > end:
            end = first + more
            starts.append((first, end))

    def left(minute):
        drawn = sum(draw for start, until, draw in draws if start <= minute < until)
        return min((room for until, room in caps if minute < until), default=NO_CAP) - drawn

    possible = [at for first, last in starts for at in range(first, last + 1)]
    expected = [at for at in possible if all(left(one) >= needed for one in range(at, at + length))]
    found = power.within(starts, length, needed)
    assert [at for first, last in found for at in range(first, last + 1)] == expected
    for at in possible:
        assert power.least(at, at + length) == min(left(one) for one in range(at, at + length))
    some, draws = draws[:2], draws[2:]
    for at in possible:
        assert power.least(at, at + length, some) == min(left(one) for one in range(at, at + length)), "as if they were not booked"


def test_minutes_at_which_nothing_is_booked_any_more_are_forgotten():
    booked = Booked()
    for nth in range(1_000):
        booked.put("n0", [(3 * nth, 3 * nth + 1, 5)])
        assert len(booked.steps()[0]) < 10


stretch_lists = st.lists(st.tuples(st.integers(1, 40 * 24), st.integers(0, 10**12)), min_size=1, max_size=3).map(
    lambda parts: tuple(
        Stretch(
            1_780_000_000_000 + sum(hours for hours, _ in parts[:nth]) * HOUR_MS,
            1_780_000_000_000 + sum(hours for hours, _ in parts[: nth + 1]) * HOUR_MS,
            price,
        )
        for nth, (_, price) in enumerate(parts)
    )
)


@settings(max_examples=200, deadline=None)
@given(stretches=stretch_lists, cuts=st.lists(st.integers(-10, 130 * 24 * 60), max_size=6), kept=st.integers(0, 1000))
def test_what_is_due_adds_up_to_the_micro_euro(stretches, cuts, kept):
    start, end = stretches[0].from_ms, stretches[-1].until_ms
    assert due_by(stretches, end) == price_of(stretches)
    instants = sorted({start, end, *(min(end, max(start, start + minutes * MINUTE_MS)) for minutes in cuts)})
    parts = [by_month(stretches, before, after) for before, after in pairwise(instants)]
    assert sum(sum(part.values()) for part in parts) == price_of(stretches)
    for period, amount in by_month(stretches, start, end).items():
        assert sum(part.get(period, 0) for part in parts) == amount, "a month's parts are the month"
    for at in instants:
        lowered = cut(stretches, at, kept)
        assert due_by(lowered, at) == due_by(stretches, at), "what is past stays"
        assert price_of(lowered) <= price_of(stretches)
        ending = ending_of(stretches, at, kept)
        assert due_by(stretches, at) <= ending.due <= price_of(stretches)
        as_one = joined(stretches, at)
        assert sum(one.until_ms <= at for one in as_one) <= 1
        assert all(due_by(as_one, later) == due_by(stretches, later) for later in instants if later >= at)
        assert by_month(as_one, at, end) == by_month(stretches, at, end), "what is still to come stays in its months"


def test_a_lost_node_lowers_the_rest_in_proportion():
    booked = (Stretch(0, 10 * HOUR_MS, 1000),)
    left = without_nodes(booked, 4 * HOUR_MS, 1, 4)
    assert (due_by(left, 4 * HOUR_MS), price_of(left)) == (400, 400 + 600 * 3 // 4)


def test_a_window_settles_by_the_hour_at_the_turn_of_the_month_and_at_its_end():
    start = 1_780_000_000_000
    booked = (Stretch(start, start + 90 * MINUTE_MS, 10),)
    assert settle_at(booked, start, start - 1) is None
    assert settle_at(booked, start, start + 59 * MINUTE_MS) is None
    assert settle_at(booked, start, start + HOUR_MS) == start + HOUR_MS
    assert settle_at(booked, start + HOUR_MS, start + DAY_MS) == start + 90 * MINUTE_MS


@pytest.mark.parametrize(("inside", "part"), [([(0, 100)], 500), ([(50, 100)], 250), ([(0, 100), (0, 100)], 1000), ([], 0)])
def test_what_spot_paid_is_split_by_time_and_nodes(inside, part):
    assert paid_inside(1000, 0, 100, 2, inside) == part


def test_totals_of_rates_are_sums_of_minutes():
    rates = Rates(lambda at: at // HOUR_MS % 7)
    for start, length in product((BASE, BASE + 17, BASE - 400), (1, 59, 61, 300)):
        assert rates.total(start, length) == sum((start + minute) // 60 % 7 for minute in range(length))
