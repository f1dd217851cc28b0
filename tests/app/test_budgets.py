"""Reservations, settlements, the turn of a month: what is reserved, charged and given back, and the cost report."""

import pytest

from eisbach.app import create_project, report_cost, set_budget
from eisbach.app.commands import SYSTEM
from eisbach.app.rounds import Round
from eisbach.app.settle_usage import settle_running
from eisbach.core.vocabulary.interval import month_end, month_of
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS
from tests.app.asking import CORE_HOUR, lose, why
from tests.app.factory import a_job, new_factory
from tests.app.invariants import check_all


def figures(factory, project=None):
    return factory.ask(lambda state, now: create_project.figures(state, project or factory.project, now))


def cost_of(factory, period):
    return report_cost.of_project(factory.store, factory.project, period, month_of(factory.clock.now()))


def set_to(factory, micro_euro, project=None):
    return factory.perform(set_budget.command(SYSTEM, project=project or factory.project, budget_micro_eur=micro_euro))


def to_month_end(factory, before=0):
    factory.pass_time(month_end(factory.clock.now()) - factory.clock.now() - before)


def a_day(**more):
    """A job that runs for a day and may run for two."""
    return a_job("sleep 86400", **{"limit_s": 2 * 86_400, **more})


CAP = 48 * CORE_HOUR


def test_a_cap_is_reserved_settled_hourly_and_the_rest_given_back(factory):
    factory.submit(a_day())
    assert (figures(factory)["reserved"], figures(factory)["available"]) == (CAP, 1000 * EURO - CAP)
    factory.pass_time(90 * 60_000)
    factory.run_rounds()
    assert (figures(factory)["charged"], figures(factory)["reserved"]) == (3 * CORE_HOUR // 2, CAP - 3 * CORE_HOUR // 2)
    factory.pass_time(2 * MINUTE_MS)
    factory.run_rounds()
    assert figures(factory)["charged"] == 3 * CORE_HOUR // 2, "the hour is not full yet"
    factory.pass_time(28 * MINUTE_MS)
    factory.run_rounds()
    assert figures(factory)["charged"] == 2 * CORE_HOUR, "a full hour has passed, though none since the last settlement"
    factory.pass_time(DAY_MS)
    now = figures(factory)
    assert (now["charged"], now["reserved"], now["available"]) == (24 * CORE_HOUR, 0, 1000 * EURO - 24 * CORE_HOUR)
    check_all(factory)


def test_money_that_comes_back_funds_the_next_in_line(factory):
    set_to(factory, CAP)
    first, second, third = (factory.submit(a_day(), factory.project) for _ in range(3))
    assert [factory.job(job)["reason"] for job in (second, third)] == ["BUDGET_RESERVED"] * 2
    small = factory.submit(a_job("sleep 1", limit_s=1))
    assert factory.job(small)["reason"] == "BUDGET_RESERVED", "nobody passes in the queue for money"
    factory.pass_time(DAY_MS)
    assert factory.job(first)["outcome"] == "succeeded"
    assert factory.job(second)["state"] == "waiting", "half of the budget is spent, its ceiling is the whole"
    set_to(factory, 5 * CAP // 2)
    assert [factory.job(job)["state"] for job in (second, third, small)] == ["running", "running", "waiting"]
    check_all(factory)


def test_a_job_above_the_whole_budget_ends_when_the_budget_is_lowered(factory):
    set_to(factory, CAP + 5)
    runs, waits = factory.submit(a_day()), factory.submit(a_day())
    factory.pass_time(HOUR_MS)
    set_to(factory, CAP - 1)
    assert (factory.job(waits)["outcome"], factory.job(waits)["reason"]) == ("out_of_budget", "OVER_BUDGET")
    assert factory.job(runs)["outcome"] == "out_of_budget"
    assert factory.job(runs)["charged"] == CORE_HOUR
    check_all(factory)


def test_a_lowered_budget_takes_reservations_of_waiting_jobs_before_it_stops_anything(factory):
    runs = factory.submit(a_day(cpus=8))
    waits = factory.submit(a_day(cpus=8))
    cap = factory.job(runs)["cap"]
    reply = set_to(factory, cap)
    assert reply["stopping"] == []
    assert [factory.job(job)["state"] for job in (runs, waits)] == ["running", "waiting"]
    assert factory.job(waits)["reason"] == "BUDGET_RESERVED"
    assert figures(factory)["available"] == 0
    check_all(factory)


def test_the_newest_work_stops_first_and_the_same_budget_twice_stops_no_more(factory, monkeypatch):
    jobs = [factory.submit(a_day(grace_s=60)) for _ in range(3)]
    cap = factory.job(jobs[0])["cap"]
    monkeypatch.setattr(factory.engine, "stop", lambda order: None)  # each takes its time to save
    assert set_to(factory, 5 * cap // 2)["stopping"] == jobs[2:]
    assert set_to(factory, 5 * cap // 2)["stopping"] == []
    assert [factory.job(job)["state"] for job in jobs] == ["running", "running", "stopping"]
    check_all(factory)


@pytest.mark.parametrize("budget", [0, 1, 5 * CORE_HOUR, 23 * CORE_HOUR])
def test_budgets_that_are_lowered_while_work_runs_hold(factory, budget):
    job = factory.submit(a_day())
    factory.pass_time(5 * HOUR_MS)
    set_to(factory, budget)
    factory.pass_time(HOUR_MS)
    factory.run_rounds()
    assert factory.job(job)["outcome"] == "out_of_budget"
    assert factory.job(job)["charged"] == 5 * CORE_HOUR
    now = figures(factory)
    assert now["available"] == max(0, budget - 5 * CORE_HOUR)
    check_all(factory)


# ---- the turn of a month -----------------------------------------------------------------------------------------


def test_a_month_that_nobody_used_is_not_opened(factory):
    factory.submit(a_job("sleep 1"))
    to_month_end(factory)
    assert figures(factory)["available"] == 1000 * EURO
    assert figures(factory)["period"] == month_of(factory.clock.now())
    factory.run_rounds()
    assert factory.app.applier.state.projects[factory.project].period < month_of(factory.clock.now())


def test_work_over_the_turn_of_a_month_is_charged_to_each_by_its_hours(factory):
    to_month_end(factory, before=10 * HOUR_MS)
    first = month_of(factory.clock.now())
    job = factory.submit(a_day())
    factory.pass_time(12 * HOUR_MS)
    factory.run_rounds()
    second = month_of(factory.clock.now())
    old, new = (cost_of(factory, period) for period in (first, second))
    assert (old["charged"], old["reserved"]) == (10 * CORE_HOUR, 0)
    assert (new["charged"], new["reserved"]) == (2 * CORE_HOUR, CAP - 12 * CORE_HOUR)
    factory.pass_time(DAY_MS)
    new = cost_of(factory, second)
    assert (new["charged"], new["reserved"]) == (14 * CORE_HOUR, 0)
    assert factory.job(job)["charged"] == 24 * CORE_HOUR
    check_all(factory)


def test_work_that_ends_before_a_round_sees_the_new_month_is_charged_to_each_too(factory):
    to_month_end(factory, before=10 * HOUR_MS)
    first = month_of(factory.clock.now())
    factory.submit(a_day())
    factory.pass_time(2 * DAY_MS)
    second = month_of(factory.clock.now())
    charged = [cost_of(factory, one)["charged"] for one in (first, second)]
    assert charged == [10 * CORE_HOUR, 14 * CORE_HOUR]
    check_all(factory)


def test_work_that_the_new_month_cannot_pay_stops_with_what_it_can(factory):
    to_month_end(factory, before=10 * HOUR_MS)
    job = factory.submit(a_day())
    set_to(factory, CAP)
    factory.pass_time(10 * HOUR_MS - 1)
    assert factory.job(job)["state"] == "running"
    set_to(factory, 11 * CORE_HOUR)
    factory.pass_time(HOUR_MS)
    factory.run_rounds()
    assert factory.job(job)["outcome"] == "out_of_budget"
    check_all(factory)


def test_a_waiting_job_takes_its_reservation_along_into_the_new_month(factory):
    to_month_end(factory, before=HOUR_MS)
    first = month_of(factory.clock.now())
    factory.submit(a_day(cpus=8))
    waits = factory.submit(a_day(cpus=8))
    factory.pass_time(2 * HOUR_MS)
    factory.run_rounds()
    assert cost_of(factory, first)["reserved"] == 0
    account = factory.app.applier.state.accounts[waits]
    assert (account.period, account.reserved) == (month_of(factory.clock.now()), account.cap)
    check_all(factory)


def test_a_waiting_job_for_which_the_new_month_has_no_money_left_waits_for_money(factory):
    first = factory.submit(a_day(cpus=8, limit_s=40 * 86_400))
    second = factory.submit(a_day(cpus=8, limit_s=40 * 86_400))
    set_to(factory, factory.job(first)["cap"] + factory.job(second)["cap"])
    to_month_end(factory)
    other = factory.submit(a_job("sleep 60", cpus=1, limit_s=30 * 86_400))  # takes from the new month first
    factory.run_rounds()
    jobs = [first, second, other]
    waiting = [job for job in jobs if factory.job(job)["state"] == "waiting" and factory.job(job)["reason"]]
    check_all(factory)
    for job in waiting:
        assert why(factory, job)["reason"] == "BUDGET_RESERVED"


def test_a_retry_never_starts_with_a_reservation_that_the_turn_of_a_month_left_too_small(factory):
    """The rest of it could not be charged."""
    to_month_end(factory, before=HOUR_MS)
    long = factory.submit(a_day(limit_s=40 * 86_400))
    set_to(factory, factory.job(long)["cap"] + 10)
    to_month_end(factory)
    eats = factory.submit(a_job("sleep 600", limit_s=86_400))
    factory.pass_time(60_000)
    lose(factory, long)
    state = factory.app.applier.state
    assert not state.scheduler.jobs[long].is_funded
    assert factory.job(long)["reason"] == "BUDGET_RESERVED"
    check_all(factory)
    factory.pass_time(DAY_MS)
    assert factory.job(eats)["outcome"] == "succeeded"
    check_all(factory)


def test_a_failure_of_ours_in_the_new_month_gives_back_what_both_months_charged(factory):
    to_month_end(factory, before=10 * HOUR_MS)
    job = factory.submit(a_day())
    factory.pass_time(15 * HOUR_MS)
    factory.run_rounds()
    assert factory.job(job)["charged"] == 15 * CORE_HOUR
    lose(factory, job)
    assert factory.job(job)["charged"] == 0
    check_all(factory)
    factory.pass_time(DAY_MS)
    assert factory.job(job)["charged"] == 24 * CORE_HOUR
    check_all(factory)


def test_a_job_that_lost_its_money_needs_only_what_it_can_still_cost(factory):
    """Its whole ceiling was reserved again, and it ended where the budget was below that."""
    to_month_end(factory, before=5 * HOUR_MS)
    job = factory.submit(a_job("sleep 3600; false", attempts=3, limit_s=5 * 3600))
    cap = factory.job(job)["cap"]
    factory.pass_time(2 * HOUR_MS)
    assert factory.job(job)["state"] == "waiting", "its second retry is delayed"
    set_to(factory, cap)
    set_to(factory, cap - 1)
    account = factory.app.applier.state.accounts[job]
    assert (account.charged, account.reserved) == (2 * CORE_HOUR, 0)
    factory.pass_time(2 * HOUR_MS)
    assert factory.job(job)["charged"] == 2 * CORE_HOUR
    to_month_end(factory)
    factory.run_rounds()
    assert factory.job(job)["state"] == "running"
    assert factory.app.applier.state.accounts[job].reserved == cap - 2 * CORE_HOUR
    factory.pass_time(HOUR_MS)
    assert (factory.job(job)["outcome"], factory.job(job)["charged"]) == ("failed", 3 * CORE_HOUR)
    check_all(factory)


def test_an_end_that_was_not_told_yet_is_settled_by_its_own_instant(factory, monkeypatch):
    """A round that saw it ended charged nothing held and took back what was charged before."""
    to_month_end(factory, before=10 * HOUR_MS)
    first = month_of(factory.clock.now())
    job = factory.submit(a_job("sleep 30000", limit_s=86_400))
    factory.pass_time(3 * HOUR_MS)
    factory.run_rounds()
    monkeypatch.setattr(factory.engine, "_tell", lambda name, attempt: None)
    to_month_end(factory)
    factory.pass_time(HOUR_MS)
    factory.run_rounds(Round("settle-usage", 1, settle_running))
    assert factory.job(job)["charged"] == 3 * CORE_HOUR
    factory.run_rounds()
    assert factory.job(job)["charged"] == CORE_HOUR * 30_000 // 3600
    assert cost_of(factory, first)["charged"] == CORE_HOUR * 30_000 // 3600
    check_all(factory)


# ---- the report --------------------------------------------------------------------------------------------------


def test_the_cost_report_is_the_ledger(factory):
    jobs = [factory.submit(a_job(f"sleep {600 * n}; {end}", attempts=2)) for n, end in ((1, "true"), (3, "false"), (2, "true"))]
    idle = factory.submit(a_job("sleep 0"))
    factory.pass_time(2 * HOUR_MS)
    report = cost_of(factory, month_of(factory.clock.now()))
    said = figures(factory)
    for name in ("budget", "reserved", "charged", "available"):
        assert report[name] == said[name] == factory.app.applier.state.ledger.balances.get(
            f"{factory.project}/{report['period']}/{name}", said["budget"]
        ), name
    assert [one["charged"] for one in report["jobs"]] == sorted((one["charged"] for one in report["jobs"]), reverse=True)
    assert {one["job"]: one["charged"] for one in report["jobs"]} == {job: factory.job(job)["charged"] for job in jobs}
    assert idle not in {one["job"] for one in report["jobs"]}
    for job in jobs:
        cost = report_cost.of_job(factory.store, job)
        assert cost["charged"] == sum(one["charged"] for one in cost["attempts"])
        net = sum(
            one["amount"] * (one["credit"].endswith("/charged") - one["debit"].endswith("/charged"))
            for one in cost["transfers"]
        )
        assert net == cost["charged"]


def test_a_job_with_very_many_transfers_is_reported_whole(tmp_path):
    """Only the newest thousand were added up."""
    factory = new_factory(tmp_path)
    job = factory.submit(a_job("sleep 5000000", limit_s=5_000_000))
    for _ in range(1100):
        factory.pass_time(HOUR_MS)
        factory.run_rounds()
    cost = report_cost.of_job(factory.store, job)
    assert len(cost["transfers"]) > 1100
    assert cost["transfers"][0]["kind"] == "reserve"


def test_nobody_has_the_cost_of_an_unknown_job(factory):
    assert report_cost.of_job(factory.store, "job_nobody") is None
    empty = cost_of(factory, "1999-01")
    assert (empty["budget"], empty["jobs"]) == (0, [])


def test_a_month_without_a_job_has_its_budget_in_the_report_all_the_same(factory):
    """It said 0.00 until the first job."""
    for budget in (1000 * EURO, 7 * EURO, 0):
        set_to(factory, budget)
        for period in (month_of(factory.clock.now()), "2999-12"):
            assert [cost_of(factory, period)[name] for name in ("budget", "available")] == [budget, budget]
    to_month_end(factory)
    set_to(factory, 5 * EURO)
    assert cost_of(factory, month_of(factory.clock.now()))["available"] == figures(factory)["available"] == 5 * EURO
