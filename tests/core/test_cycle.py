"""One admission cycle: a plan that can be carried out, in queue order, and a state that is as it was."""

from dataclasses import replace
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from eisbach.core.admission import cycle
from eisbach.core.admission.cycle import STARTS_MAX, decide
from eisbach.core.admission.plan import Stop
from eisbach.core.capacity.calendar import Entry, EntryKind
from eisbach.core.capacity.where import ANYWHERE, Where
from eisbach.core.jobs.lifecycle import JobState, StopCause
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.scheduling.order import UNASKED_MAX
from eisbach.core.scheduling.policy import DEFAULT, EASY, NOTICE_MS, POLICIES
from eisbach.core.scheduling.promise import BreakCause
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS
from tests.core.fleets import a_fleet, a_node, a_shape, a_state, an_active, fleets, free_of, shapes
from tests.core.weeks import carry_out

NOW = 1_000_000


def starts(plan):
    return [start.job for start in plan.starts]


def kept(plan):
    return {given.job: given.from_ms for given in plan.given}


def fingerprint(state):
    return (
        free_of(state.fleet),
        [(job.job, job.state, job.attempt, job.shares) for job in state.jobs.values()],
        [job for job, _ in state.queue.walk({}, state.fair_share)],
        sorted(state.holding),
        sorted(state.calendar.promises.items()),
        state.calendar.freed,
        {name: node.dated_ms for name, node in state.fleet.nodes.items()},
        state.fair_share.held("prj") if "prj" in state.fair_share else 0,
        {project: list(waiting) for project, waiting in state.unfunded.items()},
    )


def test_what_fits_starts_in_the_order_of_the_queue():
    state = a_state(a_fleet(a_node("n1", cores=3)), *(an_active(f"j{seq}", seq) for seq in (2, 1, 4, 3)))
    plan = decide(state, NOW)
    assert starts(plan) == ["j1", "j2", "j3"]
    assert plan.head is None or plan.head == "j4"


def test_who_waits_again_asks_as_all_others_do_also_when_his_request_was_forgotten():
    first, second = an_active("first", 1), an_active("second", 2)
    state = a_state(a_fleet(a_node("n1")), first)
    state.start(first, "att", 0, decide(state, NOW).starts[0].shares, NOW)
    for nodes in range(2, 3 * UNASKED_MAX):
        state.queue.request(((a_shape(),), nodes, ANYWHERE, None, "", False))
    state.add(second)
    state.release(first, after=JobState.WAITING)
    assert {one[2] for one in state.queue.members.values()} == {second.request}
    state.move(second, Where(frozenset({"elsewhere"})))
    assert state.queue.members["second"][2].where == second.where


def test_a_later_job_of_the_same_kind_does_not_pass_an_earlier_one_of_another():
    """Groups were served one after the other: a job of the first group passed older jobs of the second."""
    small, large = (a_shape(1),), (a_shape(2),)
    jobs = [an_active("a", 1, shapes=small), an_active("b", 2, shapes=large), an_active("c", 3, shapes=small)]
    state = a_state(a_fleet(a_node("n1", cores=3)), *jobs)
    assert starts(decide(state, NOW)) == ["a", "b"]


def test_on_demand_goes_before_spot_and_our_faults_before_both():
    jobs = [
        an_active("spot", 1, capacity_class=CapacityClass.SPOT),
        an_active("on-demand", 2),
        an_active("thrown-back", 3, failures_ours=1),
    ]
    state = a_state(a_fleet(a_node("n1", cores=3)), *jobs)
    assert starts(decide(state, NOW)) == ["thrown-back", "on-demand", "spot"]


def test_a_short_job_passes_a_blocked_head_and_a_long_one_does_not():
    fleet = a_fleet(a_node("n1", cores=4))
    runs = an_active("runs", 1, shapes=(a_shape(3),), limit_ms=HOUR_MS)
    state = a_state(fleet, runs)
    carry_out(state, decide(state, NOW), NOW)
    state.add(an_active("head", 2, shapes=(a_shape(4),)))
    state.add(an_active("long", 3, limit_ms=HOUR_MS + 1))
    state.add(an_active("short", 4, limit_ms=HOUR_MS - MINUTE_MS, grace_ms=MINUTE_MS))
    plan = decide(state, NOW)
    assert (plan.head, kept(plan), starts(plan)) == ("head", {"head": NOW + HOUR_MS}, ["short"])


def test_a_head_that_can_never_start_keeps_nothing_from_the_next():
    """A job that waits for a drained node was the head, and a later gang lost its protection."""
    fleet = a_fleet(a_node("n1", cores=4), a_node("away", cores=8, drained=True))
    state = a_state(fleet, an_active("runs", 1, shapes=(a_shape(2),)))
    carry_out(state, decide(state, NOW), NOW)
    state.add(an_active("needs-away", 2, shapes=(a_shape(8),)))
    state.add(an_active("wide", 3, shapes=(a_shape(4),)))
    state.add(an_active("long", 4, limit_ms=5 * HOUR_MS))
    plan = decide(state, NOW)
    assert (plan.head, starts(plan)) == ("wide", [])


def test_nothing_starts_on_a_drained_node():
    state = a_state(a_fleet(a_node("n1", drained=True)), an_active("j", 1))
    assert decide(state, NOW).starts == ()


def test_one_plan_has_a_bounded_number_of_starts():
    jobs = [an_active(f"j{seq:04d}", seq) for seq in range(STARTS_MAX + 5)]
    state = a_state(a_fleet(a_node("n1", cores=1000)), *jobs)
    assert len(decide(state, NOW).starts) == STARTS_MAX


def test_a_delay_that_is_over_ends():
    state = a_state(a_fleet(a_node("n1")), an_active("j", 1, not_before_ms=NOW + 5))
    assert (starts(decide(state, NOW)), state.next_instant()) == ([], NOW + 5)
    assert (starts(decide(state, NOW + 5)), state.next_instant()) == (["j"], None)


def test_a_delayed_job_that_is_unfunded_and_funded_again_starts_once():
    state = a_state(a_fleet(a_node("n1")), an_active("j", 1, not_before_ms=NOW + 5))
    state.unfund(state.jobs["j"])
    state.fund(state.jobs["j"])
    assert starts(decide(state, NOW + 5)) == ["j"]


def test_jobs_without_money_wait_in_queue_order_whenever_they_lost_it():
    """After a restart they stood in order of submission, before it in order of losing their money."""
    state = a_state(a_fleet(a_node("n1", cores=0)), *(an_active(f"j{seq}", seq) for seq in (1, 2, 3)))
    for name in ("j3", "j1", "j2"):
        state.unfund(state.jobs[name])
    assert [name for _, name in state.unfunded["prj"]] == ["j1", "j2", "j3"]


active = st.builds(
    lambda shape, nodes, limit, spot, ours, delay: (shape, nodes, limit, spot, ours, delay),
    shapes,
    st.integers(1, 3),
    st.integers(1, 20),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 0, 0, NOW, NOW + 50]),
)


def a_waiting_job(seq, drawn):
    shape, nodes, limit, spot, ours, delay = drawn
    return an_active(
        f"j{seq:03d}",
        seq,
        nodes=nodes,
        shapes=(shape,),
        limit_ms=limit,
        capacity_class=CapacityClass.SPOT if spot else CapacityClass.ON_DEMAND,
        failures_ours=int(ours),
        not_before_ms=delay,
    )


@given(fleets, st.lists(active, max_size=8), st.lists(active, max_size=12))
def test_a_decision_changes_nothing_and_can_be_carried_out(fleet, earlier, later):
    state = a_state(fleet, *(a_waiting_job(seq, drawn) for seq, drawn in enumerate(earlier)))
    carry_out(state, decide(state, NOW), NOW)
    for seq, drawn in enumerate(later, 100):
        state.add(a_waiting_job(seq, drawn))
    state.wake(NOW + 1)
    before = fingerprint(state)
    plan = decide(state, NOW + 1)
    assert fingerprint(state) == before
    assert decide(state, NOW + 1) == plan
    assert len(set(starts(plan))) == len(plan.starts), "nobody starts twice"
    for start in plan.starts:
        assert len(start.shares) == state.jobs[start.job].nodes, "a gang starts whole or not at all"
        assert not any(state.fleet.nodes[share.node].drained for share in start.shares)
    carry_out(state, plan, NOW + 1)
    assert decide(state, NOW + 1).starts == (), "what one cycle leaves, a second one leaves too"


def a_booking(state, start, end, *nodes, name="b1"):
    state.calendar.add(Entry(EntryKind.BOOKING, name, start, end, nodes))


def test_spot_ignores_a_booking_to_come_and_leaves_before_it_begins():
    state = a_state(a_fleet(a_node("n1")), an_active("spot", 1, capacity_class=CapacityClass.SPOT, grace_ms=MINUTE_MS))
    a_booking(state, NOW + HOUR_MS, NOW + 2 * HOUR_MS, "n1")
    state.add(an_active("long", 2, limit_ms=2 * HOUR_MS))
    plan = decide(state, NOW)
    assert starts(plan) == ["spot"]
    carry_out(state, plan, NOW)
    leaves_ms = NOW + HOUR_MS - MINUTE_MS - NOTICE_MS
    assert state.next_instant() == leaves_ms
    assert decide(state, leaves_ms - 1).stops == ()
    plan = decide(state, leaves_ms)
    assert plan.stops == (Stop("spot", StopCause.PREEMPTION, NOTICE_MS),), "with all of its notice, and then its grace"
    late = decide(state, leaves_ms + 20_000)
    assert [stop.notice_ms for stop in late.stops] == [NOTICE_MS - 20_000], "grace comes before notice, and the window before both"
    assert [stop.notice_ms for stop in decide(state, NOW + HOUR_MS - 1).stops] == [0]
    state.set_policy(replace(DEFAULT, notice_ms=0))
    assert decide(state, leaves_ms).stops == ()
    assert decide(state, leaves_ms + NOTICE_MS).stops == (Stop("spot", StopCause.PREEMPTION, 0),)


def test_who_has_not_begun_needs_no_notice():
    state = a_state(a_fleet(a_node("n1")), an_active("spot", 1, capacity_class=CapacityClass.SPOT, grace_ms=MINUTE_MS))
    (start,) = decide(state, NOW).starts
    state.start(state.jobs["spot"], "att", start.shape, start.shares, NOW)
    a_booking(state, NOW + MINUTE_MS + NOTICE_MS, NOW + HOUR_MS, "n1")
    assert decide(state, NOW).stops == (Stop("spot", StopCause.PREEMPTION, 0),)
    state.run(state.jobs["spot"], NOW, NOW)
    assert decide(state, NOW).stops == (Stop("spot", StopCause.PREEMPTION, NOTICE_MS),)


def test_inside_a_booking_its_owner_starts_and_idle_nodes_carry_spot_that_gives_way():
    state = a_state(a_fleet(a_node("n1"), a_node("n2")))
    a_booking(state, NOW, NOW + 2 * HOUR_MS, "n1", "n2")
    state.add(an_active("owner", 1, shapes=(a_shape(8),), booking="b1", capacity_class=CapacityClass.RESERVED))
    state.add(an_active("other", 2))
    state.add(an_active("spot", 3, shapes=(a_shape(8),), capacity_class=CapacityClass.SPOT))
    plan = decide(state, NOW)
    assert starts(plan) == ["owner", "spot"]
    carry_out(state, plan, NOW)
    state.add(an_active("owner-too", 4, shapes=(a_shape(8),), booking="b1", capacity_class=CapacityClass.RESERVED))
    assert [stop.job for stop in decide(state, NOW + 1).stops] == ["spot"]


def test_a_job_inside_a_booking_starts_with_it_and_only_if_it_ends_in_it():
    state = a_state(a_fleet(a_node("n1")))
    a_booking(state, NOW + 5, NOW + 5 + HOUR_MS, "n1")
    for name, seq, limit_ms in (("fits", 1, HOUR_MS), ("too-long", 2, HOUR_MS + 1)):
        state.add(an_active(name, seq, limit_ms=limit_ms, booking="b1", capacity_class=CapacityClass.RESERVED))
    plan = decide(state, NOW)
    carry_out(state, plan, NOW)
    assert (starts(plan), state.next_instant()) == ([], NOW + 5)
    assert starts(decide(state, NOW + 5)) == ["fits"]


def test_a_gang_behind_the_head_is_promised_a_start_and_small_work_fills_in_around_both():
    nodes = [a_node(f"n{number}", cores=1) for number in range(6)]
    policy = replace(DEFAULT, promised_nodes=3, promises_max=2)
    state = a_state(a_fleet(*nodes))
    state.set_policy(policy)
    state.add(an_active("runs", 1, nodes=4, limit_ms=HOUR_MS))
    carry_out(state, decide(state, NOW), NOW)
    state.add(an_active("head", 2, nodes=5, limit_ms=HOUR_MS))
    state.add(an_active("gang", 3, nodes=4, limit_ms=HOUR_MS))
    state.add(an_active("third", 4, nodes=3, limit_ms=HOUR_MS))
    state.add(an_active("long", 5, nodes=2, limit_ms=2 * HOUR_MS))
    state.add(an_active("short", 6, nodes=2, limit_ms=HOUR_MS))
    plan = decide(state, NOW)
    assert kept(plan) == {"head": NOW + HOUR_MS, "gang": NOW + 2 * HOUR_MS}
    assert starts(plan) == ["short"]


def test_a_promise_on_a_node_that_fails_goes_elsewhere_or_is_broken_with_its_cause():
    state = a_state(a_fleet(a_node("n1", cores=1), a_node("n2", cores=1)))
    state.add(an_active("runs", 1, nodes=2, limit_ms=HOUR_MS))
    carry_out(state, decide(state, NOW), NOW)
    state.add(an_active("head", 2, nodes=2, limit_ms=HOUR_MS))
    carry_out(state, decide(state, NOW), NOW)
    state.fleet.set_available("n2", is_available=False)
    state.note_nodes()
    plan = decide(state, NOW + 1)
    assert [(broken.job, broken.cause) for broken in plan.broken] == [("head", BreakCause.HARDWARE)]
    assert plan.given == ()
    carry_out(state, plan, NOW + 1)
    assert not state.calendar.promises


def test_another_policy_sorts_the_queue_again_and_keeps_the_promises():
    state = a_state(a_fleet(a_node("n1", cores=1)))
    state.set_policy(EASY)
    state.add(an_active("runs", 1))
    carry_out(state, decide(state, NOW), NOW)
    for seq, limit_ms in ((2, 5 * HOUR_MS), (3, 4 * HOUR_MS), (4, HOUR_MS)):
        state.add(an_active(f"j{seq}", seq, limit_ms=limit_ms))
    carry_out(state, decide(state, NOW), NOW)
    before = dict(state.calendar.promises)
    assert list(before) == ["j2"]
    state.set_policy(DEFAULT)
    assert [job for job, _ in state.queue.walk({}, state.fair_share)] == ["j4", "j3", "j2"]
    assert state.calendar.promises == before


arrival = st.tuples(st.integers(0, 6), active, st.integers(1, 20), st.sampled_from(["", "", "", "drain", "back"]))


def end_what_is_over(state, now, runs_ms):
    for job in [job for job in state.holding.values() if min(job.releases_ms(), job.planned_ms + runs_ms[job.job]) <= now]:
        state.release(job, after=JobState.ENDED)
        state.note_freed(now)


@settings(max_examples=30, deadline=None)
@given(fleets, st.sampled_from([*POLICIES.values(), replace(DEFAULT, promised_nodes=2, again_ms=0)]), st.lists(arrival, max_size=25))
def test_random_weeks_keep_every_promise_and_looking_at_what_changed_is_looking_at_everything(fleet, policy, arrivals):
    """No promise moves later, none is broken but by a node that leaves; a cycle from scratch decides the same."""
    state, now, promised, runs_ms = a_state(fleet), NOW, {}, {}
    state.set_policy(policy)
    for seq, (gap, drawn, runs, act) in enumerate([*arrivals, *[(30, None, 0, "back")] * 12]):
        for _ in range(gap + 1):
            now += 1
            end_what_is_over(state, now, runs_ms)
            plan = decide(state, now)
            before = fingerprint(state)
            with patch.object(cycle, "at_once", lambda state, now: None):
                assert decide(state, now) == plan, "what fits at once is what all steps find"
            assert fingerprint(state) == before
            for broken in plan.broken:
                assert broken.cause in (BreakCause.HARDWARE, BreakCause.OPERATOR)
                promised.pop(broken.job)
            for job in starts(plan):
                assert now <= promised.get(job, now), f"{job} starts at {now}, promised for {promised[job]}"
            for given_ in plan.given:
                assert given_.from_ms <= promised.get(given_.job, given_.from_ms)
                promised[given_.job] = given_.from_ms
            carry_out(state, plan, now)
            state.unsettle()
            again = decide(state, now)
            assert (again.starts, again.broken) == ((), ()), "what a cycle leaves, one that looks at everything leaves too"
            state.settle(again, now)
        if drawn is not None:
            state.add(a_waiting_job(seq, drawn))
            runs_ms[f"j{seq:03d}"] = runs
        name = sorted(state.fleet.nodes)[seq % len(state.fleet.nodes)]
        if act:
            state.fleet.set_available(name, is_available=act == "back")
            state.note_nodes()
