"""Bookings as customers meet them: quoted, held, booked, used, extended, cancelled, paid; on a clock that is told."""


import pytest

from eisbach.app import (
    book_capacity,
    quote_capacity,
)
from eisbach.app.commands import SYSTEM
from eisbach.app.quote_capacity import Wanted
from eisbach.app.site_facts import NodeFacts
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.ledger import account
from eisbach.core.vocabulary.interval import month_of
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Refusal
from tests.app.factory import TARIFF, a_job, a_site, new_factory

NODE_HOUR = 4 * TARIFF.gpu_hour["h200"] + 8 * TARIFF.core_hour + 16 * TARIFF.memory_gib_hour


def a_node(name, rack="r1"):
    return NodeFacts(
        node=name, pool="p", flavour="h200.4", cpu_milli=8000, memory_mib=16_384, gpus=4, hall="h", row="w", rack=rack
    )


@pytest.fixture
def factory(tmp_path):
    """Four nodes of 4 GPUs in two racks, and a budget of 10,000 euro a month."""
    site = a_site(*(a_node(f"n{nth}", f"r{nth // 2}") for nth in range(4)))
    return new_factory(tmp_path, site=site, budget_eur=10_000)


def quoted(factory, project=None, **wanted):
    asked = Wanted(**{"flavour": "h200", "nodes": 1, "length_ms": 2 * HOUR_MS, **wanted})
    return factory.perform(quote_capacity.command(SYSTEM, factory.app.sites, project=project or factory.project, wanted=asked))


def booked(factory, nth=0, **wanted):
    option = quoted(factory, **wanted)["options"][nth]
    made = factory.perform(book_capacity.command(SYSTEM, factory.app.sites, project=factory.project, option=option["option"]))
    assert not isinstance(made, Refusal), str(made)
    return made["booking"], option


def row(factory, booking):
    return factory.app.reader.row("bookings", booking)


def left(factory, period=None):
    state = factory.app.applier.state
    return state.ledger.balance(account.available(factory.project, period or month_of(factory.clock.now())))


def test_a_quote_names_nodes_times_prices_and_energy(factory):
    quote = quoted(factory, nodes=2, within="rack")
    first = quote["options"][0]
    assert first["marks"][:2] == ["earliest", "cheapest"]
    assert first["nodes"] == ["n0", "n1"]
    assert (first["level"], first["domain"]) == ("rack", "h/w/r0")
    assert first["until_ms"] - first["from_ms"] == 2 * HOUR_MS
    assert first["price"] == 2 * 2 * NODE_HOUR
    assert first["energy_wh"] > 0
    assert quote["expires_ms"] == factory.clock.now() + 15 * MINUTE_MS


def test_a_booking_sets_its_price_aside_and_charges_it_while_its_window_passes(factory):
    booking, option = booked(factory)
    assert left(factory) == 10_000 * EURO - option["price"]
    job = factory.submit(a_job("sleep 5400", limit_s=7000, booking=booking, capacity_class=CapacityClass.RESERVED))
    factory.pass_time(option["from_ms"] - factory.clock.now() + HOUR_MS)
    factory.run_rounds()
    assert row(factory, booking)["charged"] == option["price"] // 2
    assert factory.job(job)["state"] == "running"
    factory.pass_time(HOUR_MS)
    factory.run_rounds()
    assert row(factory, booking)["state"] == "ended"
    assert row(factory, booking)["charged"] == option["price"]
    assert factory.job(job)["charged"] == 0
    state = factory.app.applier.state
    assert state.ledger.total() == 0
    assert state.ledger.balance(account.reserved(factory.project, month_of(factory.clock.now()))) == 0
