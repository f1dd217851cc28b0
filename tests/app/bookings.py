"""What tests of bookings are made with: a factory of four nodes, and the steps from a quote to a window."""


from eisbach.app import (
    book_capacity,
    quote_capacity,
)
from eisbach.app.commands import SYSTEM
from eisbach.app.quote_capacity import Wanted
from eisbach.app.site_facts import NodeFacts
from eisbach.core.billing.booking_rules import OnFault
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.ledger import account
from eisbach.core.vocabulary.interval import month_of
from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.core.vocabulary.reasons import Refusal
from tests.app.factory import TARIFF, a_job, a_site, new_factory

NODE_HOUR = 4 * TARIFF.gpu_hour["h200"] + 8 * TARIFF.core_hour + 16 * TARIFF.memory_gib_hour


def a_node(name, rack="r1"):
    return NodeFacts(
        node=name, pool="p", flavour="h200.4", cpu_milli=8000, memory_mib=16_384, gpus=4, hall="h", row="w", rack=rack
    )


def four_nodes(tmp_path):
    """Return a factory of four nodes of 4 GPUs in two racks, with a budget of 10,000 euro a month."""
    site = a_site(*(a_node(f"n{nth}", f"r{nth // 2}") for nth in range(4)))
    return new_factory(tmp_path, site=site, budget_eur=10_000)


def quoted(factory, project=None, **wanted):
    asked = Wanted(**{"flavour": "h200", "nodes": 1, "length_ms": 2 * HOUR_MS, **wanted})
    return factory.perform(quote_capacity.command(SYSTEM, factory.app.sites, project=project or factory.project, wanted=asked))


def book(factory, option, project=None, on_fault=OnFault.CREDIT):
    return factory.perform(
        book_capacity.command(SYSTEM, factory.app.sites, project=project or factory.project, option=option, on_fault=on_fault)
    )


def booked(factory, nth=0, on_fault=OnFault.CREDIT, **wanted):
    option = quoted(factory, **wanted)["options"][nth]
    made = book(factory, option["option"], on_fault=on_fault)
    assert not isinstance(made, Refusal), str(made)
    return made["booking"], option


def row(factory, booking):
    return factory.app.reader.row("bookings", booking)


def left(factory, period=None):
    state = factory.app.applier.state
    return state.ledger.balance(account.available(factory.project, period or month_of(factory.clock.now())))


def inside(factory, booking, run="sleep 1800", **more):
    """Submit a job inside a booking."""
    more = {"limit_s": 3000, **more}
    return factory.submit(a_job(run, booking=booking, capacity_class=CapacityClass.RESERVED, **more))


def pass_until(factory, at_ms):
    factory.pass_time(max(0, at_ms - factory.clock.now()))


def refused(answer, reason):
    assert isinstance(answer, Refusal), answer
    assert answer.reason is reason, str(answer)
    assert answer.do
    return answer
