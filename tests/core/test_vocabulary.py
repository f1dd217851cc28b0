"""Months and money: against the calendar, against Decimal."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.core.vocabulary.interval import end_of_month, month_end, month_of, month_start, year_and_month
from eisbach.core.vocabulary.money import EURO, euro_text, parse_euro
from eisbach.core.vocabulary.reasons import Reason, Refusal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z


def instant_of(when: datetime) -> int:
    return (when - EPOCH) // timedelta(milliseconds=1)


instants = st.integers(-62_135_596_800_000, LAST)
amounts = st.integers(-(10**18), 10**18)


@given(instants)
def test_months_are_those_of_the_calendar(instant):
    when = EPOCH + timedelta(milliseconds=instant)
    assert year_and_month(instant) == (when.year, when.month)
    assert month_of(instant) == f"{when.year:04d}-{when.month:02d}"


@given(instants)
def test_a_month_begins_and_ends_where_the_calendar_says(instant):
    year, month = year_and_month(instant)
    begin, end = month_start(year, month), month_end(instant)
    assert begin <= instant < end
    assert begin == instant_of(datetime(year, month, 1, tzinfo=UTC))
    assert month_of(begin) == month_of(end - 1) == month_of(instant)
    assert end_of_month(month_of(instant)) == end


@pytest.mark.parametrize(
    ("period", "end"),
    [
        ("2026-11", datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-12", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2028-02", datetime(2028, 3, 1, tzinfo=UTC)),
        ("2100-02", datetime(2100, 3, 1, tzinfo=UTC)),
    ],
)
def test_a_budget_period_ends_with_its_month(period, end):
    assert end_of_month(period) == instant_of(end)


def test_a_month_may_run_past_december():
    assert month_start(2026, 13) == month_start(2027, 1)
    assert month_start(2026, 25) == month_start(2028, 1)


@given(amounts)
def test_money_is_written_and_read_back_exactly(amount):
    text = euro_text(amount)
    assert parse_euro(text) == amount
    assert Decimal(text) * EURO == amount
    assert len(text.partition(".")[2]) >= 2


@pytest.mark.parametrize(
    ("text", "amount"), [("25", 25 * EURO), ("0.50", 500_000), ("0.000417", 417), ("-3.1", -3_100_000), ("1e3", 1000 * EURO)]
)
def test_amounts_that_people_write(text, amount):
    assert parse_euro(text) == amount


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not an amount"),
        ("ten", "not an amount"),
        ("NaN", "not an amount"),
        ("Infinity", "not an amount"),
        ("0.0000001", "six decimals"),
        ("1000000000001", "larger than any budget"),
        ("1e400", "larger than any budget"),
        ("1e999999999", "larger than any budget"),
        ("1e-999999999", "six decimals"),
        ("1.00000000000000000000000000000001", "six decimals"),
    ],
)
def test_amounts_that_are_none(text, says):
    with pytest.raises(ValueError, match=says):
        parse_euro(text)


def test_a_refusal_says_what_and_what_to_do():
    assert str(Refusal(Reason.NOT_FOUND, "There is no node 'x'", "Look at the list")) == "There is no node 'x'. Look at the list"
    assert str(Refusal(Reason.NOT_FOUND, "There is no node 'x'")) == "There is no node 'x'"


def test_what_may_succeed_later_is_said_by_the_reason():
    assert Reason.CAPACITY_BUSY.is_retryable
    assert not Reason.NO_SUCH_FLAVOUR.is_retryable
