"""A promised start that a cap on power breaks: as long as it comes too late, up to an hour, the job runs uncharged."""

from decimal import Decimal

import pytest

from eisbach.app import cancel_job, cap_power, explain_job, report_cost, running_cost
from eisbach.app.commands import SYSTEM
from eisbach.app.money import LATE_MS_MAX
from eisbach.core.billing.invoice import LATE
from eisbach.core.billing.wording import line_name
from eisbach.core.power.draw import rating_of
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS, SECOND_MS
from tests.app.billing import address, document, issue
from tests.app.bookings import a_node
from tests.app.factory import a_job, a_site, new_factory
from tests.app.invariants import check_all, events_of
from tests.app.test_export_focus import rows

RATING = rating_of("h200.4", 8000, 4)
WHOLE = {"cpus": 8, "memory_mib": 16_384, "gpus": 4, "flavour": "h200"}


@pytest.fixture
def factory(tmp_path):
    """Two nodes: work of ten hours on one, of one hour on the other, and a job that is promised the hour after that."""
    return new_factory(tmp_path, site=a_site(a_node("n0"), a_node("n1")), budget_eur=10_000)


def cap(factory, nodes):
    draw_mw = None if nodes is None else 2 * RATING.idle_mw + nodes * (RATING.rated_mw - RATING.idle_mw)
    factory.perform(cap_power.command(SYSTEM, factory.app.sites["here"], site="here", draw_mw=draw_mw))


def promised(factory, run="sleep 7200", limit_s=10_000):
    """Return the promised job, and the instant of its promise."""
    factory.submit(a_job("sleep 36000", limit_s=36_000, **WHOLE))
    factory.pass_time(MINUTE_MS)
    factory.submit(a_job("sleep 3600", limit_s=3_600, **WHOLE))
    job = factory.submit(a_job(run, limit_s=limit_s, **WHOLE))
    return job, factory.app.applier.state.scheduler.calendar.promises[job].from_ms


def late_by(factory, job, at_ms, late_ms, while_late=lambda: None):
    """Cap the site at what one node draws until so long after the promise; pass over it in steps, with rounds."""
    factory.pass_time(at_ms - SECOND_MS - factory.clock.now())
    first, second = [name for name in factory.app.applier.state.scheduler.jobs if name != job]
    cap(factory, 1)
    assert (factory.job(first)["state"], factory.job(second)["state"]) == ("running", "waiting")
    factory.perform(cancel_job.command(SYSTEM, job=second))
    factory.pass_time(at_ms + 2 * MINUTE_MS - factory.clock.now())
    assert [one.kind for one in events_of(factory)].count("start.unpromised") == 1
    factory.pass_time(at_ms + late_ms - factory.clock.now())
    assert factory.job(job)["state"] == "waiting"
    while_late()
    cap(factory, None)
    assert factory.job(job)["state"] == "running"


@pytest.mark.parametrize(("late_ms", "free_ms"), [(20 * MINUTE_MS, 20 * MINUTE_MS), (5 * HOUR_MS, LATE_MS_MAX)])
def test_who_is_late_for_power_runs_as_long_uncharged(factory, late_ms, free_ms):
    job, at_ms = promised(factory)
    late_by(factory, job, at_ms, late_ms)
    for _ in range(6):
        factory.pass_time(HOUR_MS // 2)
        factory.run_rounds()
        factory = factory.restart()
    row = factory.job(job)
    assert (row["outcome"], row["charged_ms"]) == ("succeeded", 2 * HOUR_MS - free_ms)
    assert factory.attempts(job)[0]["held_ms"] == 2 * HOUR_MS
    check_all(factory)


def test_the_limit_counts_what_is_uncharged(factory):
    job, at_ms = promised(factory, run="sleep 7200", limit_s=3_600)
    late_by(factory, job, at_ms, 20 * MINUTE_MS)
    factory.pass_time(2 * HOUR_MS)
    row = factory.job(job)
    assert (row["outcome"], row["charged_ms"]) == ("timed_out", 40 * MINUTE_MS)
    check_all(factory)


def test_what_our_fault_ends_keeps_it_for_the_next_attempt(factory):
    job, at_ms = promised(factory)
    late_by(factory, job, at_ms, 20 * MINUTE_MS)
    factory.pass_time(10 * MINUTE_MS)
    factory.engine.lose(factory.attempts(job)[0]["attempt"])
    factory.settle()
    factory.pass_time(3 * HOUR_MS)
    assert factory.job(job)["charged_ms"] == 2 * HOUR_MS - 20 * MINUTE_MS
    check_all(factory)


def test_a_promise_that_is_kept_brings_nothing(factory):
    job, at_ms = promised(factory)
    factory.pass_time(at_ms + 3 * HOUR_MS - factory.clock.now())
    assert factory.job(job)["charged_ms"] == 2 * HOUR_MS


def test_what_is_uncharged_has_lines_of_its_own_where_it_is_paid(factory):
    """It was only missing from the bill: nothing said that the consequence of the broken promise had been borne."""
    address(factory)
    job, at_ms = promised(factory)
    late_by(factory, job, at_ms, 20 * MINUTE_MS)
    factory.pass_time(3 * HOUR_MS)
    statement = report_cost.of_job(factory.app.reader, job)
    price = statement["charged"] // 5  # of 20 minutes; it ran for two hours
    moved = [(one["kind"], one["amount"]) for one in statement["transfers"]]
    assert moved[-3:] == [("settle", price), ("credit", price), ("void", moved[-1][1])]
    assert (statement["charged_ms"], statement["credited"]) == (100 * MINUTE_MS, price)
    lines = {line.supply.capacity_class: line for line in document(factory, issue(factory)["invoice"]).lines}
    assert lines[LATE].amount == -price
    named = line_name(document(factory, "2026-000001"), lines[LATE])
    assert named == "Gutschrift für einen späteren Start als zugesagt, da die Leistung begrenzt war: h200.4"
    (credited,) = [one for one in rows(factory) if one["x_CapacityClass"] == LATE]
    assert (credited["ChargeCategory"], Decimal(credited["BilledCost"])) == ("Credit", -Decimal(price) / EURO)
    check_all(factory)


def test_a_credit_is_no_line_where_our_fault_takes_all_back(factory):
    job, at_ms = promised(factory)
    late_by(factory, job, at_ms, 20 * MINUTE_MS)
    factory.pass_time(HOUR_MS)
    factory.run_rounds()
    factory.engine.lose(factory.attempts(job)[0]["attempt"])
    factory.settle()
    assert report_cost.of_job(factory.app.reader, job)["credited"] == 0
    factory.pass_time(4 * HOUR_MS)
    price = factory.job(job)["charged"] // 5
    assert report_cost.of_job(factory.app.reader, job)["credited"] == price
    check_all(factory)


def test_why_names_the_broken_promise_and_what_it_brings(factory):
    (job, at_ms), waits = promised(factory), []
    late_by(factory, job, at_ms, 20 * MINUTE_MS, while_late=lambda: waits.append(factory.ask(explain_job.question(job=job))))
    factory.pass_time(5 * MINUTE_MS)
    assert waits[0]["late"].values == {"from_at": at_ms, "free_ms": LATE_MS_MAX}
    assert factory.ask(explain_job.question(job=job))["late"].values == {"free_ms": 20 * MINUTE_MS}
    assert factory.ask(running_cost.question(job=job)) == 0, "it showed a cost, and none was charged"
    factory.pass_time(30 * MINUTE_MS)
    assert factory.ask(running_cost.question(job=job)) == factory.app.applier.state.accounts[job].price // 4
