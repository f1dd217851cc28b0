"""The calendar: an entry that replaces another one, and a look past promises, against taking out and putting in."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.core.capacity.calendar import Calendar, Entry, EntryKind
from eisbach.core.scheduling.backfill import Gang, earliest
from eisbach.core.vocabulary.invariant import BrokenInvariant
from tests.core.fleets import a_fleet, a_node, a_shape

NOW = 0
NAMES = [f"n{number}" for number in range(6)]
KINDS = [EntryKind.BOOKING, EntryKind.MAINTENANCE, EntryKind.PROMISE]

nodes = st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(tuple)
windows = st.tuples(st.integers(1, 20), st.integers(1, 10), nodes, st.booleans())
others = st.lists(st.tuples(st.sampled_from(KINDS), windows), max_size=5)


def entry(kind, name, window):
    start, length, on, is_shared = window
    return Entry(kind, name, start, start + length, on, is_shared and kind is EntryKind.PROMISE)


def a_calendar(*entries):
    """A calendar of a fleet with as many of these entries as go together."""
    fleet = a_fleet(*(a_node(name, cores=1, rack=f"r{number // 2}") for number, name in enumerate(NAMES)))
    fleet.pools()
    calendar = Calendar(fleet)
    for one in entries:
        if not one.kind.is_tenants or calendar.is_free(one.nodes, one.from_ms, one.until_ms):
            calendar.add(one)
    return fleet, calendar


def seen(fleet, calendar):
    pools = {pool.name: {date: dict(sorted(idle.masks.items())) for date, idle in pool.idle.items()} for pool in fleet.pools()}
    return (
        list(calendar), list(calendar.promises.items()), calendar.starts(-1, 100), calendar.shared, calendar.freed, calendar.changed, pools,
        {name: (list(calendar.on(name)), fleet.nodes[name].dated_ms) for name in NAMES},
    )  # fmt: skip


@given(others, windows, windows, st.booleans())
def test_to_replace_is_to_remove_and_to_add(beside, before, after, is_same_time):
    if is_same_time:
        after = (*before[:2], after[2], before[3])
    old = entry(EntryKind.PROMISE, "j", before)
    fleet, calendar = a_calendar(old, *(entry(kind, f"e{number}", window) for number, (kind, window) in enumerate(beside)))
    new = entry(EntryKind.PROMISE, "j", after)
    other_fleet, other = deepcopy((fleet, calendar))
    assert other.remove(EntryKind.PROMISE, "j") == old
    try:
        other.add(new)
    except BrokenInvariant:
        with pytest.raises(BrokenInvariant):
            calendar.replace(new)
        return
    assert calendar.replace(new) == old
    assert seen(fleet, calendar) == seen(other_fleet, other)


@given(others, windows, st.integers(1, 6), st.integers(1, 12))
def test_a_look_past_promises_is_a_look_without_them(beside, window, count, length):
    entries = [entry(EntryKind.PROMISE, "j", window), *(entry(kind, f"e{number}", one) for number, (kind, one) in enumerate(beside))]
    fleet, calendar = a_calendar(*entries)
    gang = Gang((a_shape(1),), count, length)
    for promised in (["j"], list(calendar.promises)):
        slot = earliest(fleet, calendar.without(promised), [], gang, NOW)
        struck = [calendar.remove(EntryKind.PROMISE, job) for job in promised]
        expected = earliest(fleet, calendar.without(), [], gang, NOW)
        assert (slot is None) == (expected is None)
        if slot is not None and expected is not None:
            assert slot.at_ms == expected.at_ms
        for one in struck:
            calendar.add(one)
