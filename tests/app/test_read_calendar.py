"""The steps of the calendar as people look at it, against counting each node at each instant."""

from hypothesis import given
from hypothesis import strategies as st

from eisbach.app.read_calendar import _steps
from eisbach.core.capacity.calendar import Entry, EntryKind

NODES = ("n0", "n1", "n2")
kinds = st.sampled_from(list(EntryKind))
entries = st.lists(st.tuples(kinds, st.integers(0, 20), st.integers(1, 12), st.sets(st.sampled_from([*NODES, "other"]), min_size=1)), max_size=8)


@given(entries, st.integers(0, 15), st.integers(1, 15))
def test_each_step_counts_what_is_booked_and_closed_from_then_on(drawn, start, length):
    end = start + length
    known = [Entry(kind, str(nth), at, at + span, tuple(sorted(nodes))) for nth, (kind, at, span, nodes) in enumerate(drawn)]
    seen = [one for one in known if one.from_ms < end and one.until_ms > start]
    steps = _steps(seen, set(NODES), start, end)
    assert [step["at_ms"] for step in steps] == sorted({step["at_ms"] for step in steps})
    for at in range(start, end):
        step = next(one for one in reversed(steps) if one["at_ms"] <= at)
        there = [one for one in known if one.from_ms <= at < one.until_ms]
        closed = {name for one in there if not one.kind.is_tenants for name in one.nodes} & set(NODES)
        booked = {name for one in there if one.kind.is_tenants for name in one.nodes} & set(NODES)
        assert (step["closed"], step["booked"], step["free"]) == (len(closed), len(booked - closed), 3 - len(booked | closed))
