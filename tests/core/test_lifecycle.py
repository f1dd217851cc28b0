"""The table of transitions, and whose faults are ours."""

import itertools

import pytest

from eisbach.core.jobs.lifecycle import TRANSITIONS, Fault, JobState, StopCause, check_transition
from eisbach.core.vocabulary.invariant import BrokenInvariant
from eisbach.core.vocabulary.reasons import Reason

W, S, R, G, E = JobState.WAITING, JobState.STARTING, JobState.RUNNING, JobState.STOPPING, JobState.ENDED
ALLOWED = {(W, S), (W, E), (S, R), (S, G), (S, W), (S, E), (R, G), (R, W), (R, E), (G, W), (G, E)}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(JobState, JobState)), ids=lambda state: state.value)
def test_only_the_steps_of_the_table_are_taken(before, after):
    if (before, after) in ALLOWED:
        check_transition(before, after)
    else:
        with pytest.raises(BrokenInvariant, match=f"from {before.value} to {after.value}"):
            check_transition(before, after)


def test_every_state_leads_to_an_end_and_an_end_leads_nowhere():
    assert set(TRANSITIONS) == set(JobState)
    assert TRANSITIONS[E] == frozenset()
    assert all(E in TRANSITIONS[state] for state in JobState if state is not E)


def test_ours_are_the_faults_of_operator_hardware_and_preemption():
    assert {fault for fault in Fault if fault.is_ours} == {Fault.OPERATOR, Fault.HARDWARE, Fault.PREEMPTION}


def test_every_cause_of_a_stop_is_one_of_the_known_reasons():
    assert [cause.reason for cause in StopCause] == [
        Reason.CANCELLED, Reason.BUDGET_REACHED, Reason.PREEMPTED, Reason.NODE_DRAINED, Reason.POWER_CAP, Reason.PLACEMENT_FORBIDDEN,
    ]  # fmt: skip
