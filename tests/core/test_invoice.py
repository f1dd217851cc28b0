"""Rounding, numbers and identifiers: the pure part of invoices."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.core.billing import identifiers
from eisbach.core.billing.invoice import (
    CENT,
    DocumentKind,
    Movement,
    Supply,
    allot,
    credited,
    lines_of,
    totals_of,
)
from eisbach.core.billing.numbering import number_of
from eisbach.core.billing.vat import Vat, half_up, vat_cents
from eisbach.core.billing.wording import cents_text, quantity_text

AMOUNTS = st.lists(st.integers(-(10**13), 10**13), max_size=60)


@given(AMOUNTS)
def test_lines_add_up_to_the_sum_rounded_once_and_none_is_a_cent_away(amounts):
    shares = allot(amounts)
    exact = Decimal(sum(amounts)) / CENT
    assert sum(shares) == int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    assert all(abs(share * CENT - amount) < CENT for share, amount in zip(shares, amounts, strict=True))
    assert all(share * CENT == amount for share, amount in zip(shares, amounts, strict=True) if amount % CENT == 0)


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**6))
def test_half_up_is_the_rounding_of_the_tax_office(numerator, denominator):
    exact = Decimal(numerator) / Decimal(denominator)  # 28 digits tell any tie from what is only near one
    assert half_up(numerator, denominator) == int(exact.quantize(Decimal(1), ROUND_HALF_UP))


@pytest.mark.parametrize(
    ("net", "permille", "vat"), [(100, 190, 19), (1, 190, 0), (3, 190, 1), (250, 190, 48), (-250, 190, -48), (1050, 77, 81)]
)
def test_vat_is_rounded_once(net, permille, vat):
    assert vat_cents(net, permille) == vat


@given(AMOUNTS)
def test_a_document_is_about_a_positive_sum(amounts):
    supplies = [Supply("p", "s", "f", "c", f"t{n}", 1 + n, amount < 0) for n, amount in enumerate(amounts)]
    kind, lines, net = lines_of([Movement(supply, amount) for supply, amount in zip(supplies, amounts, strict=True)])
    assert net >= 0
    assert (kind is DocumentKind.CREDIT_NOTE) == (sum(amounts) < 0)
    assert sum(line.cents for line in lines) == net


@given(st.integers(1, 10**9), st.lists(st.integers(1, 10**6), min_size=1, max_size=8), st.integers(0, 250))
def test_credit_notes_end_at_nothing(extra, parts, permille):
    vat = Vat("S", permille)
    invoice = totals_of(sum(parts) + extra, vat)
    done = totals_of(0, vat)
    for net in [*parts, extra]:
        one = credited(net, done, invoice)
        done = type(done)(
            net_cents=done.net_cents + one.net_cents,
            vat_cents=done.vat_cents + one.vat_cents,
            gross_cents=done.gross_cents + one.gross_cents,
            vat=vat,
        )
    assert (done.net_cents, done.vat_cents, done.gross_cents) == (invoice.net_cents, invoice.vat_cents, invoice.gross_cents)


def test_no_credit_note_takes_more_vat_than_is_left():
    """12 cents have 2 cents of VAT, and each 3 of them would round to 1."""
    vat = Vat("S", 190)
    invoice, done, taken = totals_of(12, vat), totals_of(0, vat), []
    for _ in range(4):
        one = credited(3, done, invoice)
        taken.append(one.vat_cents)
        net, tax = done.net_cents + 3, done.vat_cents + one.vat_cents
        done = type(done)(net_cents=net, vat_cents=tax, gross_cents=net + tax, vat=vat)
    assert (taken, done.gross_cents) == ([1, 1, 0, 0], invoice.gross_cents)


def test_numbers_and_texts():
    assert number_of(2026, 1) == "2026-000001"
    assert [quantity_text(hours) for hours in (0, 1, 150_000_000, -277_778)] == ["0", "0.00000001", "1.5", "-0.00277778"]
    assert [cents_text(cents) for cents in (0, 5, -1234)] == ["0.00", "0.05", "-12.34"]


@pytest.mark.parametrize("text", ["DE136695976", "DE123456788", "ATU12345678", "NL123456789B01", "EL123456789", "FRXX123456789"])
def test_vat_ids_that_can_be(text):
    assert identifiers.is_vat_id(text)


@pytest.mark.parametrize("text", ["", "DE", "DE123456789", "DE12345678", "AT12345678", "XX123", "US123456789", "de123456788", "DE1234567８8"])
def test_vat_ids_that_cannot_be(text):
    assert not identifiers.is_vat_id(text)


def test_ibans():
    assert identifiers.is_iban("DE89370400440532013000")
    assert identifiers.is_iban("GB82WEST12345698765432")
    for wrong in ("DE89370400440532013001", "DE8937040044053201300", "", "DE89 3704", "89DE370400440532013000", "NO9386011117948"):
        assert not identifiers.is_iban(wrong)


def test_leitweg_ids():
    for right in ("04011000-1234512345-06", "991-33333TEST-33"):
        assert identifiers.is_leitweg_id(right)
    for wrong in ("04011000-1234512345-07", "04011000", "-06", "04011000--06", "x-1-06", "04011000-1234512345-6", "0" * 13 + "-1-06"):
        assert not identifiers.is_leitweg_id(wrong)


def test_mail_addresses():
    assert identifiers.is_mail_address("ap@firm.example")
    for wrong in ("a@firm.example", "ap@", "ap@@firm.example", ".ap@firm.example", "ap.@firm.example", "a p@firm.example", "ap"):
        assert not identifiers.is_mail_address(wrong)
