"""Ledger, charges, tariffs: money only moves, is never overspent, and every charge follows from held time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.core.billing.charge import cap_of, charge_of
from eisbach.core.billing.tariff import Tariff
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.ledger import account, transfer
from eisbach.core.ledger.post import Ledger
from eisbach.core.vocabulary.invariant import BrokenInvariant
from eisbach.core.vocabulary.quantities import HOUR_MS
from tests.core.fleets import a_shape

PERIOD = "2026-11"
makers = st.sampled_from([transfer.grant, transfer.withdraw, transfer.reserve, transfer.settle, transfer.credit, transfer.void])
prices = st.integers(0, 10**12)
lengths = st.integers(0, 40 * 24 * HOUR_MS)


@given(st.lists(st.tuples(makers, st.sampled_from(["a", "b"]), st.integers(-2, 50)), max_size=40))
def test_accounts_sum_to_zero_and_no_budget_is_overspent(moves):
    ledger = Ledger()
    for make, project, amount in moves:
        moved = make(account.names_of(project, PERIOD), amount)
        debit, credit, _, _ = moved
        before = dict(ledger.balances)
        is_allowed = amount > 0 and (account.may_be_negative(debit) or ledger.balance(debit) >= amount)
        if is_allowed:
            ledger.post([moved])
            assert ledger.balance(credit) == before.get(credit, 0) + amount
        else:
            with pytest.raises(BrokenInvariant):
                ledger.post([moved])
            assert ledger.balances == before, "a transfer that is refused moves nothing"
        assert ledger.total() == 0
        assert all(balance >= 0 or account.may_be_negative(name) for name, balance in ledger.balances.items())


def test_overspending_is_named():
    with pytest.raises(BrokenInvariant, match="no budget is ever overspent: p/2026-11/available would fall to -1"):
        Ledger().post([transfer.reserve(account.names_of("p", PERIOD), 1)])


def test_only_issuance_and_charges_may_be_negative():
    assert account.may_be_negative(account.ISSUANCE)
    assert account.may_be_negative(account.charged("p", PERIOD))
    assert not account.may_be_negative(account.available("p", PERIOD))
    assert not account.may_be_negative(account.reserved("p", PERIOD))


@given(prices, st.lists(lengths, max_size=12))
def test_charges_bit_by_bit_add_up_to_the_floor_of_the_whole(price, pieces):
    weight, charged = 0, 0
    for piece in pieces:
        weight += price * piece
        now = charge_of(weight, charged)
        assert now >= 0, "time that passes never takes a charge back"
        charged += now
    assert charged == price * sum(pieces) // HOUR_MS


@given(st.lists(st.tuples(prices, lengths), max_size=8))
def test_a_change_of_price_between_attempts_changes_nothing_of_that(pieces):
    weight, charged = 0, 0
    for price, held in pieces:
        weight += price * held
        charged += charge_of(weight, charged)
    assert charged == sum(price * held for price, held in pieces) // HOUR_MS


@given(prices, lengths, lengths, st.lists(st.floats(0, 1), max_size=5))
def test_a_cap_covers_whatever_is_held_and_by_less_than_one_micro_euro_more(price, limit, grace, parts):
    cap = cap_of(price, limit, grace)
    assert charge_of(price * (limit + grace), 0) <= cap <= charge_of(price * (limit + grace), 0) + 1
    for part in parts:
        held = int((limit + grace) * part)
        assert charge_of(price * held, 0) <= cap


def test_a_charge_is_taken_back_whole():
    charged = charge_of(3_600_000 * HOUR_MS, 0)
    assert charge_of(0, charged) == -charged


def a_tariff(**more):
    return Tariff(
        **{
            "version": "t",
            "label": "test",
            "valid_from_ms": 0,
            "core_hour": 36_000,
            "memory_gib_hour": 3_600,
            "gpu_hour": {"h200": 3_600_000},
            "spot_permille": 500,
            **more,
        }
    )


@pytest.mark.parametrize(
    ("shape", "nodes", "capacity_class", "price"),
    [
        (a_shape(1), 1, CapacityClass.ON_DEMAND, 36_000),
        (a_shape(1, memory_mib=1024), 1, CapacityClass.ON_DEMAND, 39_600),
        (a_shape(0.5, memory_mib=512), 1, CapacityClass.ON_DEMAND, 19_800),
        (a_shape(1), 3, CapacityClass.ON_DEMAND, 108_000),
        (a_shape(1), 3, CapacityClass.SPOT, 54_000),
        (a_shape(1, gpus=2, flavour="h200.8"), 2, CapacityClass.ON_DEMAND, 2 * (36_000 + 7_200_000)),
        (a_shape(1, gpus=1, flavour="b200.8"), 1, CapacityClass.ON_DEMAND, None),
        (a_shape(1, flavour="b200.8"), 1, CapacityClass.ON_DEMAND, 36_000),
        (a_shape(0.001, memory_mib=1), 1, CapacityClass.ON_DEMAND, 39),
    ],
)
def test_prices_an_hour(shape, nodes, capacity_class, price):
    assert a_tariff().price(shape, nodes, capacity_class) == price


def test_an_accelerator_without_a_price_of_its_own_has_that_of_any():
    tariff = a_tariff(gpu_hour={"h200": 5, "*": 7})
    shape = a_shape(1, gpus=1, flavour="b200.8")
    assert tariff.price(shape, 1, CapacityClass.ON_DEMAND) == 36_007


@given(st.integers(1, 64_000), st.integers(0, 10**6), st.integers(1, 64))
def test_a_price_is_rounded_down_once(cpu_milli, memory_mib, nodes):
    exact = nodes * (cpu_milli * 36_000 / 1000 + memory_mib * 3_600 / 1024)
    shape = a_shape(cpu_milli / 1000, memory_mib=memory_mib)
    assert a_tariff().price(shape, nodes, CapacityClass.ON_DEMAND) == int(exact + 1e-6) or exact > 2**50
