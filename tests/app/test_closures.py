"""Maintenance windows and drains with a deadline: announced, kept free, begun and ended by themselves."""

import pytest
from msgspec.structs import replace

from eisbach.app import cancel_job, close_nodes
from eisbach.app.commands import SYSTEM
from eisbach.app.open_factory import apply_site_changes
from eisbach.app.rounds import Round
from eisbach.app.tend_nodes import Act
from eisbach.core.capacity.targets import Targets
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.app.asking import why
from tests.app.factory import a_job, a_site, new_factory
from tests.app.invariants import check_all, check_step, events_of
from tests.app.test_lost_nodes import places, some_nodes, tend


@pytest.fixture
def two(tmp_path):
    """A factory of two equal nodes, each in a rack of its own."""
    return new_factory(tmp_path, site=a_site(*some_nodes(2)))


def close(factory, *names, after_ms, length_ms=None, **more):
    """Announce a window, or without a length a drain with a deadline."""
    from_ms = factory.clock.now() + after_ms
    targets = Targets(names=names, **{name: more.pop(name) for name in ("hall", "row", "rack", "pool", "site") if name in more})
    return factory.perform(close_nodes.command(SYSTEM, targets=targets, from_ms=from_ms, length_ms=length_ms, **more))


def available(factory):
    return [name for name, node in factory.app.applier.state.scheduler.fleet.nodes.items() if node.available]


def test_a_window_begins_and_ends_by_itself_and_nothing_is_placed_over_it(two):
    closure = close(two, "n1", after_ms=HOUR_MS, length_ms=2 * HOUR_MS, note="new fans")
    assert (closure["kind"], closure["nodes"], closure["attempts_leaving"]) == ("maintenance", ["n1"], 0)
    first = two.submit(a_job("sleep 60", cpus=4, limit_s=7200))
    second = two.submit(a_job("sleep 60", cpus=4, limit_s=7200))
    assert places(two, first) == ["n2"], "two hours do not end before the window"
    two.pass_time(HOUR_MS - 1)
    assert available(two) == ["n1", "n2"]
    two.pass_time(1)
    assert available(two) == ["n2"]
    assert two.store.row("closures", closure["closure"])["state"] == "begun"
    again = two.restart()
    assert available(again) == ["n2"]
    assert places(again, second) == ["n2"]
    again.pass_time(2 * HOUR_MS)
    assert available(again) == ["n1", "n2"]
    row = again.store.row("closures", closure["closure"])
    assert (row["state"], row["note"], row["nodes"], row["ended_by"]) == ("over", "new fans", "n1", "system")
    check_all(again)


def test_nothing_is_due_at_the_end_of_a_drain_that_has_none(two):
    """A replay that runs until all is over would run for 140,000 years."""
    close(two, "n1", after_ms=HOUR_MS)
    two.pass_time(HOUR_MS)
    assert available(two) == ["n2"]
    for factory in (two, two.restart()):
        assert factory.app.applier.state.scheduler.next_instant() is None


def test_what_ends_before_stays_and_what_would_not_gets_its_signal_in_time(two):
    stays = two.submit(a_job("sleep 600", cpus=4, limit_s=600, grace_s=30))
    leaves = two.submit(a_job("sleep 7200", cpus=4, limit_s=86_400, grace_s=300))
    answer = close(two, "n*", after_ms=HOUR_MS, length_ms=HOUR_MS)
    assert (answer["attempts_on_them"], answer["attempts_leaving"], answer["attempts_with_less_grace"]) == (2, 1, 0)
    two.pass_time(HOUR_MS - 300 * SECOND_MS - 1)
    assert two.job(stays)["outcome"] == "succeeded"
    assert two.job(leaves)["state"] == "running"
    two.pass_time(1)
    (row,) = two.attempts(leaves)
    assert (row["fault"], row["reason"], row["charged"]) == ("operator", "NODE_DRAINED", 0)
    assert row["ended_ms"] == two.clock.now()
    assert two.app.applier.state.scheduler.holding == {}, "an hour before anybody comes, the node is empty"
    two.pass_time(300 * SECOND_MS + HOUR_MS)
    assert places(two, leaves)[1:] == ["n1"]
    check_all(two)


def test_a_window_with_less_time_than_the_grace_shortens_it(two):
    job = two.submit(a_job("sleep 7200", cpus=4, limit_s=86_400, grace_s=600))
    two.engine.stop = lambda order: stopped.append(order)  # tasks that need their whole grace
    stopped = []
    answer = close(two, "n1", after_ms=MINUTE_MS, length_ms=HOUR_MS)
    assert answer["attempts_with_less_grace"] == 1
    assert [order.grace_ms for order in stopped] == [MINUTE_MS]
    assert two.job(job)["state"] == "stopping"


@pytest.mark.parametrize("where", [{"rack": "r1"}, {"pool": "p"}, {"site": "here"}])
def test_a_place_is_drained_by_a_deadline_and_stays_so(two, where):
    job = two.submit(a_job("sleep 7200", cpus=4, limit_s=86_400, grace_s=300))
    answer = close(two, after_ms=HOUR_MS, **where)
    assert (answer["kind"], answer["until_ms"]) == ("drain", None)
    later = two.submit(a_job("sleep 60", cpus=4, limit_s=86_400))
    two.pass_time(HOUR_MS)
    nodes = answer["nodes"]
    holding = two.app.applier.state.scheduler.holding.values()
    assert not [share for one in holding for share in one.shares if share.node in nodes]
    assert all(two.store.row("nodes", node)["drained"] for node in nodes)
    assert two.store.row("closures", answer["closure"])["state"] == "drained"
    assert places(two, job)[0] == "n1"
    two.pass_time(9 * DAY_MS)
    assert not set(available(two)) & set(nodes), "until somebody takes them back"
    tend(two, Act.RESUME, **where)
    assert two.attempts(later)
    check_all(two)


def test_a_closure_is_cancelled_before_it_begins_or_cut_short(two):
    closure = close(two, "n1", after_ms=HOUR_MS, length_ms=HOUR_MS)["closure"]
    job = two.submit(a_job("sleep 30000", cpus=4, limit_s=86_400, grace_s=60))
    assert two.perform(close_nodes.cancel(SYSTEM, closure=closure))["had_begun"] is False
    assert two.perform(close_nodes.cancel(SYSTEM, closure=closure)).reason is Reason.NOT_FOUND
    two.pass_time(2 * HOUR_MS)
    assert len(two.attempts(job)) == 1, "nobody had to leave"
    closure = close(two, "n2", after_ms=0, length_ms=9 * HOUR_MS)["closure"]
    assert available(two) == ["n1"]
    assert two.perform(close_nodes.cancel(SYSTEM, closure=closure))["had_begun"] is True
    assert available(two) == ["n1", "n2"]
    check_all(two)


def test_after_an_earlier_closure_is_cancelled_the_later_one_still_holds(two):
    early = close(two, "n1", after_ms=HOUR_MS, length_ms=HOUR_MS)["closure"]
    job = two.submit(a_job("sleep 30000", cpus=4, limit_s=30_000, grace_s=60))
    tend(two, Act.CORDON, "n2")
    close(two, places(two, job)[0], after_ms=5 * HOUR_MS, length_ms=HOUR_MS)
    two.perform(close_nodes.cancel(SYSTEM, closure=early))
    two.pass_time(5 * HOUR_MS - MINUTE_MS)
    assert two.attempts(job)[0]["reason"] == "NODE_DRAINED"
    check_all(two)


@pytest.mark.parametrize("slept_ms", [90 * MINUTE_MS, 9 * HOUR_MS])
def test_a_window_that_was_slept_through_begins_or_is_over_at_the_next_start(two, slept_ms):
    """The clock jumps, or no server ran: whatever is due then happens at once, in order."""
    closure = close(two, "n1", after_ms=HOUR_MS, length_ms=HOUR_MS)["closure"]
    job = two.submit(a_job("sleep 300000", cpus=4, limit_s=400_000, grace_s=60))
    size = two.store.log_size()
    two.app.stop()
    two.clock.advance(slept_ms)
    again = two.restart()
    is_over = slept_ms > 2 * HOUR_MS
    assert again.store.row("closures", closure)["state"] == ("over" if is_over else "begun")
    kinds = [sealed.kind for sealed in events_of(again)[size:]]
    assert kinds.count("closure.begun") == 1
    assert kinds.count("closure.ended") == is_over
    assert again.job(job)["state"] == "running"
    check_all(again)


def test_a_lost_node_in_a_window_stays_lost_and_a_drained_one_drained(two):
    close(two, "n*", after_ms=HOUR_MS, length_ms=HOUR_MS)
    tend(two, Act.LOST, "n1")
    two.pass_time(90 * MINUTE_MS)
    tend(two, Act.DRAIN, "n2")
    two.pass_time(HOUR_MS)
    assert available(two) == []
    tend(two, Act.REPAIR, "n1")
    tend(two, Act.RESUME, "n2")
    assert available(two) == ["n1", "n2"]
    check_all(two)


def test_cancelled_work_is_not_asked_a_second_time(two):
    two.engine.stop = lambda order: None  # its tasks need their grace
    job = two.submit(a_job("sleep 30000", cpus=4, limit_s=86_400, grace_s=60))
    close(two, "n1", after_ms=HOUR_MS, length_ms=HOUR_MS)
    two.pass_time(HOUR_MS - 30 * SECOND_MS - MINUTE_MS)
    two.perform(cancel_job.command(SYSTEM, job=job))
    two.pass_time(MINUTE_MS)
    stops = [sealed for sealed in events_of(two) if sealed.kind == "job.stopping"]
    assert len(stops) == 1


# ---- refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after_ms", "length_ms", "where"),
    [
        (-1, HOUR_MS, "from_ms"),
        (-DAY_MS, None, "from_ms"),
        (HOUR_MS, 0, "length_ms"),
        (HOUR_MS, -1, "length_ms"),
        (HOUR_MS, 10 * 366 * DAY_MS, "length_ms"),
        (10 * 366 * DAY_MS, HOUR_MS, "from_ms"),
    ],
)
def test_windows_that_cannot_be_are_refused(two, after_ms, length_ms, where):
    size = two.store.log_size()
    answer = close(two, "n1", after_ms=after_ms, length_ms=length_ms)
    assert isinstance(answer, Refusal)
    assert (answer.reason, answer.where) == (Reason.INVALID_ARGUMENT, where)
    assert answer.do
    assert two.store.log_size() == size


def test_windows_that_overlap_on_a_node_are_refused_and_those_beside_each_other_not(two):
    first = close(two, "n1", after_ms=HOUR_MS, length_ms=HOUR_MS)["closure"]
    for after_ms, length_ms in ((30 * MINUTE_MS, HOUR_MS), (90 * MINUTE_MS, MINUTE_MS), (90 * MINUTE_MS, None)):
        answer = close(two, "n*", after_ms=after_ms, length_ms=length_ms)
        assert (answer.reason, answer.values["closure"]) == (Reason.WINDOW_TAKEN, first)
    assert not isinstance(close(two, "n2", after_ms=HOUR_MS, length_ms=HOUR_MS), Refusal)
    assert not isinstance(close(two, "n1", after_ms=2 * HOUR_MS, length_ms=HOUR_MS), Refusal)
    two.pass_time(4 * HOUR_MS)
    assert available(two) == ["n1", "n2"]
    check_all(two)


@pytest.mark.parametrize("slept_ms", [0, 2 * HOUR_MS])
@pytest.mark.parametrize("later_first", [False, True])
def test_a_window_that_begins_as_another_ends_keeps_the_node_closed(two, later_first, slept_ms):
    hours = (2, 1) if later_first else (1, 2)
    for after in hours:
        close(two, "n1", after_ms=after * HOUR_MS, length_ms=HOUR_MS)
    two.clock.advance(slept_ms)
    two.settle()
    two.pass_time(2 * HOUR_MS + MINUTE_MS - slept_ms)
    assert available(two) == ["n2"]
    check_all(two)
    two.pass_time(HOUR_MS)
    assert available(two) == ["n1", "n2"]
    check_all(two)


def test_nodes_that_nobody_knows_have_no_window(two):
    assert close(two, "n9", after_ms=HOUR_MS, length_ms=HOUR_MS).reason is Reason.NOT_FOUND
    assert close(two, after_ms=HOUR_MS, length_ms=HOUR_MS).reason is Reason.INVALID_ARGUMENT
    assert close(two, "n1", after_ms=HOUR_MS, length_ms=HOUR_MS, note="x" * 501).where == "note"


# ---- nodes to come -----------------------------------------------------------------------------------------------


def test_a_node_takes_nothing_before_its_day_and_work_from_then_on(tmp_path):
    factory = new_factory(tmp_path)
    n1, n2 = some_nodes(2)
    day_ms = factory.clock.now() + DAY_MS
    factory.site = a_site(n1, replace(n2, from_ms=day_ms))
    factory.run_rounds(Round("site-file", 1, lambda app: apply_site_changes(app, [factory.site])))
    jobs = [factory.submit(a_job("sleep 600000", cpus=4, limit_s=700_000)) for _ in range(2)]
    assert available(factory) == ["n1"]
    factory = factory.restart()
    factory.pass_time(DAY_MS - 1)
    assert factory.attempts(jobs[1]) == []
    check_step(factory)
    factory.pass_time(1)
    assert places(factory, jobs[1]) == ["n2"]
    check_all(factory)
    factory.site = a_site(n1, replace(n2, from_ms=day_ms + DAY_MS))
    factory.run_rounds(Round("site-file", 1, lambda app: apply_site_changes(app, [factory.site])))
    check_all(factory)


def test_a_node_whose_day_moves_comes_on_the_new_one(tmp_path):
    factory = new_factory(tmp_path)
    n1, n2 = some_nodes(2)
    for days in (3, 2):
        factory.site = a_site(n1, replace(n2, from_ms=factory.clock.now() + days * DAY_MS))
        factory.run_rounds(Round("site-file", 1, lambda app: apply_site_changes(app, [factory.site])))
    factory.pass_time(2 * DAY_MS)
    assert available(factory) == ["n1", "n2"]
    check_all(factory)


# ---- promises ----------------------------------------------------------------------------------------------------


@pytest.fixture
def promised(tmp_path):
    """A factory of four nodes where a gang of two is promised to start on two of them in an hour."""
    factory = new_factory(tmp_path, site=a_site(*some_nodes(4)))
    for node, hours in (("n1", 1), ("n2", 1), ("n3", 9), ("n4", 1)):
        busy = factory.submit(a_job("sleep 360000", cpus=4, limit_s=hours * 3600))
        assert places(factory, busy) == [node]
    gang = factory.submit(a_job("sleep 600", nodes=2, cpus=4))
    return factory, gang


def promise_of(factory, job):
    return factory.app.applier.state.scheduler.calendar.promises.get(job)


def test_a_promise_moves_off_a_bad_node_to_an_equal_one_and_never_in_time(promised):
    factory, gang = promised
    before = promise_of(factory, gang)
    bad = before.nodes[0]
    tend(factory, Act.LOST, bad)
    after = promise_of(factory, gang)
    assert (after.from_ms, after.until_ms) == (before.from_ms, before.until_ms)
    assert bad not in after.nodes
    assert "n3" not in after.nodes, "it is free much later"
    check_step(factory)
    factory.pass_time(HOUR_MS)
    assert factory.attempts(gang)[0]["planned_ms"] <= before.from_ms
    check_all(factory)


def test_a_promise_without_equal_nodes_is_broken_by_hardware_and_given_anew(promised):
    factory, gang = promised
    before = promise_of(factory, gang)
    tend(factory, Act.LOST, "n1")
    tend(factory, Act.LOST, "n2")
    broken = [row for row in factory.store.rows("start_promises", {"job": gang}).rows if row["broken_by"]]
    assert [row["broken_by"] for row in broken] == ["hardware"]
    after = promise_of(factory, gang)
    assert after is None or after.from_ms > before.from_ms
    check_all(factory)


def test_a_window_over_a_promise_is_refused_and_forced_it_moves(promised):
    factory, gang = promised
    before = promise_of(factory, gang)
    refused = close(factory, before.nodes[0], after_ms=HOUR_MS, length_ms=HOUR_MS)
    assert (refused.reason, list(refused.values["bookings"])) == (Reason.WINDOW_TAKEN, [gang])
    forced = close(factory, before.nodes[0], after_ms=HOUR_MS, length_ms=HOUR_MS, is_forced=True)
    assert forced["moved"] == [f"promise {gang}"]
    after = promise_of(factory, gang)
    assert (after.from_ms, before.nodes[0] in after.nodes) == (before.from_ms, False)
    check_all(factory)


def test_spot_starts_nowhere_that_it_would_have_to_leave_at_once(two):
    """It would be asked to leave as it begins, and begin again, for ever."""
    close(two, "n1", after_ms=MINUTE_MS, length_ms=HOUR_MS)
    jobs = [two.submit(a_job("sleep 600", cpus=4, grace_s=30, capacity_class=CapacityClass.SPOT)) for _ in range(2)]
    assert [places(two, job) for job in jobs] == [["n2"], []]
    two.pass_time(2 * HOUR_MS)
    assert [two.job(job)["outcome"] for job in jobs] == ["succeeded"] * 2
    check_all(two)


def test_a_promise_outlives_a_window_that_is_over_before_it(promised):
    factory, gang = promised
    before = promise_of(factory, gang)
    assert not isinstance(close(factory, before.nodes[0], after_ms=MINUTE_MS, length_ms=30 * MINUTE_MS), Refusal)
    factory.pass_time(2 * MINUTE_MS)
    assert before.nodes[0] not in available(factory)
    assert promise_of(factory, gang) == before
    other = next(name for name in ("n1", "n2", "n3", "n4") if name not in before.nodes)
    tend(factory, Act.CORDON, other)
    assert promise_of(factory, gang) == before
    factory.pass_time(HOUR_MS)
    assert factory.attempts(gang)[0]["planned_ms"] <= before.from_ms
    check_all(factory)


def test_who_waits_for_nodes_that_are_out_is_told_how_many_and_when_the_first_is_back(tmp_path):
    factory = new_factory(tmp_path, site=a_site(*some_nodes(4)))
    tend(factory, Act.CORDON, "n1")
    tend(factory, Act.LOST, "n2")
    close(factory, "n3", after_ms=0, length_ms=HOUR_MS)
    gang = factory.submit(a_job(nodes=2, cpus=4))
    answer = why(factory, gang)
    assert answer["reason"] == "NODES_UNAVAILABLE"
    assert "Of 4 nodes that could take it 3 take nothing now: 1 drained, 1 lost, 0 suspect, 1 in maintenance" in answer["text"]
    assert "is back at" in answer["text"]
    factory.pass_time(HOUR_MS)
    assert factory.attempts(gang)
    later = factory.submit(a_job(nodes=3, cpus=4))
    assert "is back at" not in why(factory, later)["text"], "nobody knows"


@pytest.mark.parametrize(("length_ms", "words"), [(0, "A window of 0 minutes is not possible"), (10**16, "A window of 10,000,000,000,000,000 ms is")])
def test_a_window_that_cannot_be_is_named_with_its_length(two, length_ms, words):
    """It said "It is 0 ms long", and of one of thousands of years that it should have a length."""
    answer = close(two, "n1", after_ms=HOUR_MS, length_ms=length_ms)
    assert words in str(answer)
    assert "Give from 1 ms to 1830 days" in str(answer)
