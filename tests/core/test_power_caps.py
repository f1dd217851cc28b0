"""Caps on power and preemption in the admission cycle: nothing starts above a cap, who gives way, and for whom."""


import pytest

from eisbach.core.admission.cycle import decide
from eisbach.core.capacity.fleet import Share
from eisbach.core.jobs.lifecycle import JobState, StopCause
from eisbach.core.scheduling.policy import MINIMUM_RUN_MS
from eisbach.core.scheduling.power import PowerRoom, PowerSums, at_rest_mw
from eisbach.core.scheduling.preempt import Running, for_waiting
from eisbach.core.scheduling.promise import TOLERANCE_MS, BreakCause
from eisbach.core.vocabulary.quantities import HOUR_MS
from tests.core.fleets import a_fleet, a_node, a_shape, a_state, an_active
from tests.core.gpu_jobs import GPU_MW, ON_DEMAND, SPOT, a_gang, drawn, gpu_job, running_since, stopped
from tests.core.test_cycle import NOW, carry_out, fingerprint, starts


@pytest.fixture
def state():
    """Two nodes of eight GPUs; four jobs of two GPUs each run, two of them spot; the older ones have more to lose."""
    jobs = [
        gpu_job(name, seq, gpus=2, capacity_class=kind, limit_ms=4 * HOUR_MS)
        for seq, (name, kind) in enumerate([("old-spot", SPOT), ("old", ON_DEMAND), ("spot", SPOT), ("young", ON_DEMAND)])
    ]
    state = a_state(a_fleet(*(a_node(f"n{number}", cores=64, gpus=8, flavour="h200.8") for number in (1, 2))), *jobs)
    carry_out(state, decide(state, NOW), NOW)
    for name in ("old-spot", "old"):
        running_since(state, name, NOW - HOUR_MS)
    for name in ("spot", "young"):
        running_since(state, name, NOW - MINIMUM_RUN_MS)
    return state


def test_nothing_starts_above_a_cap(state):
    state.power_caps["here"] = drawn(state) + 3 * GPU_MW
    state.add(gpu_job("wide", 10, gpus=4))
    plan = decide(state, NOW)
    assert (starts(plan), plan.power_head) == ([], "wide")
    state.power_caps["here"] += 2 * GPU_MW
    assert starts(decide(state, NOW)) == ["wide"]


def test_what_is_left_of_the_power_is_kept_for_the_first_that_waits_for_it(state):
    state.power_caps["here"] = drawn(state) + 3 * GPU_MW
    state.add(gpu_job("wide", 10, gpus=8, capacity_class=SPOT))
    state.add(gpu_job("small", 11, capacity_class=SPOT))
    assert starts(decide(state, NOW)) == []


def test_power_is_kept_for_the_same_job_while_only_new_ones_are_looked_at(state):
    """Each cycle after that took some of it for whoever had just come, and called the first one's reason another."""
    state.power_caps["here"] = drawn(state) + 3 * GPU_MW
    state.add(gpu_job("wide", 5, gpus=4))
    carry_out(state, decide(state, NOW), NOW)
    state.add(gpu_job("narrow", 6))
    assert state.is_settled(NOW + 1)
    plan = decide(state, NOW + 1)
    assert (starts(plan), plan.power_head) == ([], "wide")
    carry_out(state, plan, NOW + 1)
    state.add(gpu_job("narrower", 7))
    assert starts(decide(state, NOW + 2)) == []
    state.add(gpu_job("thrown-back", 8, failures_ours=1))
    assert starts(decide(state, NOW + 2)) == ["thrown-back"]


def test_a_job_that_no_cap_carries_keeps_nothing_from_others(state):
    state.power_caps["here"] = drawn(state) + 3 * GPU_MW
    state.add(an_active("huge", 10, nodes=16, shapes=(a_shape(cores=1, gpus=1),), capacity_class=SPOT))
    state.add(gpu_job("small", 11, capacity_class=SPOT))
    assert starts(decide(state, NOW)) == ["small"]


def test_sums_follow_work_and_nodes_from_the_first_question_on(state):
    state.power_caps["here"] = drawn(state)
    decide(state, NOW)
    before = state.power.rest_mw("here")
    state.release(state.jobs["young"], after=JobState.ENDED)
    state.fleet.add(a_node("third", cores=64, gpus=8, flavour="h200.8"))
    state.add(gpu_job("new", 10, gpus=4))
    carry_out(state, decide(state, NOW), NOW)
    assert state.power.rest_mw("here") == at_rest_mw(state.fleet, "here") == before * 3 // 2
    state.fleet.set_available("third", is_available=False, is_removed=True)
    assert state.power.rest_mw("here") == at_rest_mw(state.fleet, "here") == before
    assert state.power.rest_mw("here") + state.power.work_mw("here") == drawn(state)


def test_another_site_with_power_is_taken(state):
    state.power_caps["here"] = drawn(state)
    away = a_node("away", cores=64, gpus=8, flavour="h200.8")
    away.site = "elsewhere"
    state.fleet.add(away)
    state.add(gpu_job("goes-there", 10))
    (start,) = decide(state, NOW).starts
    assert {share.node for share in start.shares} == {"away"}


def test_spot_gives_way_first_and_the_least_work_is_lost(state):
    state.power_caps["here"] = drawn(state) - 1
    assert stopped(decide(state, NOW)) == [("spot", StopCause.POWER_CAP)]
    state.power_caps["here"] = drawn(state) - 3 * GPU_MW
    assert stopped(decide(state, NOW)) == [("spot", StopCause.POWER_CAP), ("old-spot", StopCause.POWER_CAP)]
    state.power_caps["here"] = drawn(state) - 5 * GPU_MW
    assert [job for job, _ in stopped(decide(state, NOW))] == ["spot", "old-spot", "young"]


def test_no_spot_stays_because_a_large_on_demand_job_goes(state):
    """The last one to go is large; that it makes the small one before it needless must not spare spot."""
    state.add(gpu_job("large", 10, gpus=8, grace_ms=1))
    carry_out(state, decide(state, NOW), NOW)
    for name in ("young", "old"):
        running_since(state, name, NOW - 9 * HOUR_MS)
    state.power_caps["here"] = drawn(state) - 5 * GPU_MW
    assert [job for job, _ in stopped(decide(state, NOW))] == ["spot", "old-spot", "large"]


def test_who_is_leaving_counts_as_gone(state):
    state.power_caps["here"] = drawn(state) - 1
    (stop,) = decide(state, NOW).stops
    state.stop(state.jobs[stop.job], StopCause.POWER_CAP, 0, NOW)
    assert decide(state, NOW).stops == ()


def test_who_is_within_his_notice_still_draws_power_and_goes_first(state):
    spot = state.jobs["old-spot"]
    state.stop(spot, StopCause.PREEMPTION, 30_000, NOW, 60_000)
    state.power_caps["here"] = drawn(state) - 1
    assert stopped(decide(state, NOW)) == [("old-spot", StopCause.POWER_CAP)]
    assert stopped(decide(state, NOW + 60_000)) == []


def test_a_cap_below_what_nodes_draw_at_rest_stops_everything_and_no_more(state):
    state.power_caps["here"] = 0
    assert len(decide(state, NOW).stops) == 4


def test_a_cap_changes_nothing_in_the_state(state):
    state.power_caps["here"] = drawn(state) - 3 * GPU_MW
    state.add(gpu_job("waits", 10, gpus=8))
    before = fingerprint(state)
    decide(state, NOW)
    assert fingerprint(state) == before


def test_on_demand_takes_from_spot_what_it_lacks_and_no_more(state):
    """Eight GPUs are free and ten are needed: two of spot's are enough, those with less to lose."""
    state.add(a_gang(5))
    plan = decide(state, NOW)
    assert (starts(plan), plan.head) == ([], "gang")
    assert stopped(plan) == [("spot", StopCause.PREEMPTION)]


def test_spot_that_has_just_begun_stays_until_it_has_run_a_while(state):
    running_since(state, "spot", NOW - 1)
    running_since(state, "old-spot", NOW - 1)
    state.add(a_gang(5))
    plan = decide(state, NOW)
    assert (stopped(plan), plan.again_ms) == ([], NOW - 1 + MINIMUM_RUN_MS)
    state.settle(plan, NOW)
    assert state.next_instant() == plan.again_ms
    assert len(decide(state, NOW - 1 + MINIMUM_RUN_MS).stops) == 1


def test_more_of_spot_gives_way_where_more_is_lacking(state):
    state.add(a_gang(6))
    assert stopped(decide(state, NOW)) == [("spot", StopCause.PREEMPTION), ("old-spot", StopCause.PREEMPTION)]


def test_whoever_was_stopped_for_a_job_is_not_replaced_and_the_room_is_kept(state):
    state.add(a_gang(5))
    plan = decide(state, NOW)
    for stop in plan.stops:
        job = state.jobs[stop.job]
        state.stop(job, stop.cause, 30_000, NOW)
    state.add(gpu_job("small", 11, limit_ms=HOUR_MS))
    again = decide(state, NOW)
    assert again.stops == ()
    assert [(given.job, given.from_ms) for given in again.given] == [("gang", NOW + 30_000)]
    assert starts(again) == []
    for stop in plan.stops:
        state.release(state.jobs[stop.job], after=JobState.WAITING)
    assert starts(decide(state, NOW + 30_000))[0] == "gang"


def test_few_looks_are_enough_where_much_spot_runs():
    """Of 400 jobs those with the least to lose give way, found without trying each of the others."""
    running = [Running(f"j{number:03d}", 0, number, (Share(0, f"n{number:03d}", 1, 1, ()),), False) for number in range(400)]
    fleet = a_fleet(*(a_node(one.shares[0].node, cores=1) for one in running))
    for one in running:
        fleet.take(one.shares)
    looks = []

    def fits():
        looks.append(True)
        return sum(node.is_idle for node in fleet.nodes.values()) >= 3

    before = [node.free_cpu_milli for node in fleet.nodes.values()]
    chosen = for_waiting(fleet, PowerRoom({}, fleet, PowerSums(fleet)), running, 1, fits)
    assert [one.job for one in chosen] == ["j000", "j001", "j002"]
    assert len(looks) < 20
    assert [node.free_cpu_milli for node in fleet.nodes.values()] == before


def test_spot_takes_nothing_from_anybody_and_nobody_stops_in_vain(state):
    state.add(a_gang(5, job="spot-gang", capacity_class=SPOT))
    state.add(an_active("too-much", 11, nodes=3, shapes=(a_shape(cores=1, gpus=8),)))
    assert decide(state, NOW).stops == ()


def test_spot_gives_no_way_to_what_could_not_start_before_the_first_one(state):
    """It would be placed again at once, and stopped again, without end: what it leaves is kept for the first one's start."""
    state.add(an_active("whole", 10, nodes=2, shapes=(a_shape(cores=1, gpus=8),)))
    state.add(an_active("behind", 11, nodes=5, shapes=(a_shape(cores=1, gpus=2),), limit_ms=8 * HOUR_MS))
    plan = decide(state, NOW)
    assert (plan.head, stopped(plan), starts(plan)) == ("whole", [], [])


def test_spot_gives_its_power_to_on_demand(state):
    state.power_caps["here"] = drawn(state)
    state.add(gpu_job("needs-power", 10, gpus=2))
    plan = decide(state, NOW)
    assert stopped(plan) == [("spot", StopCause.PREEMPTION)]
    assert plan.power_head == "needs-power"


def test_spot_that_gave_way_stays_behind_on_demand(state):
    state.add(gpu_job("first-spot", 10, capacity_class=SPOT, preemptions=3))
    state.add(gpu_job("on-demand", 11))
    assert next(iter(state.queue.walk({}, state.fair_share)))[0] == "on-demand"


def a_promised_state():
    """Two nodes of eight GPUs; a job that holds one of them for an hour, and one that is promised it then; the other is half taken."""
    nodes = (a_node(name, cores=64, gpus=8, flavour="h200.8") for name in ("n1", "n2"))
    state = a_state(a_fleet(*nodes), gpu_job("runs", 1, gpus=8), gpu_job("other", 2, gpus=4, limit_ms=10 * HOUR_MS))
    carry_out(state, decide(state, NOW), NOW)
    state.add(gpu_job("head", 3, gpus=8, limit_ms=4 * HOUR_MS))
    plan = decide(state, NOW)
    carry_out(state, plan, NOW)
    assert [given.from_ms for given in plan.given] == [NOW + HOUR_MS]
    return state


def test_power_that_is_left_is_kept_for_whom_it_was_promised_to():
    """Whoever came later took it, piece by piece, until the promise was broken."""
    state = a_promised_state()
    now = NOW + HOUR_MS
    state.release(state.jobs["runs"], after=JobState.ENDED)
    state.power_caps["here"] = drawn(state) + 6 * GPU_MW
    state.add(gpu_job("small", 4, gpus=1, limit_ms=HOUR_MS))
    assert starts(decide(state, now)) == []
    state.power_caps["here"] += 6 * GPU_MW
    assert starts(decide(state, now)) == ["head", "small"]


@pytest.mark.parametrize("above_rest_mw", [6 * GPU_MW, 0, -(10**9)])
def test_a_promise_that_a_cap_breaks_says_so_as_it_is_credited(above_rest_mw):
    """It was called a late release: whose power was short was asked before anybody had been looked at."""
    state = a_promised_state()
    state.release(state.jobs["runs"], after=JobState.ENDED)
    state.power_caps["here"] = drawn(state) + above_rest_mw
    now = NOW + HOUR_MS
    carry_out(state, decide(state, now), now)
    plan = decide(state, now + TOLERANCE_MS + 1)
    assert [(broken.job, broken.cause) for broken in plan.broken] == [("head", BreakCause.POWER_CAP)]


def test_work_that_outruns_its_limit_breaks_a_promise_by_a_late_release():
    state = a_promised_state()
    state.power_caps["here"] = 10 * drawn(state)
    plan = decide(state, NOW + HOUR_MS + TOLERANCE_MS + 1)
    assert [broken.cause for broken in plan.broken] == [BreakCause.LATE_RELEASE]
