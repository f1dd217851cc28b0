"""The queue against a sorted list; its memory follows the jobs that wait, not those that ever waited."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from eisbach.core.jobs.request import CapacityClass
from eisbach.core.scheduling.order import Queue, order_key
from tests.core.fleets import a_shape

GROUPS = [((a_shape(cores),), nodes) for cores, nodes in ((1, 1), (2, 1), (2, 2))]


def test_the_class_comes_first_then_who_was_thrown_back_then_first_come_first_served():
    on_demand, spot = CapacityClass.ON_DEMAND, CapacityClass.SPOT
    keys = [order_key(False, on_demand, 7), order_key(True, spot, 9), order_key(False, spot, 3), order_key(True, on_demand, 8)]
    assert sorted(keys) == [keys[3], keys[0], keys[1], keys[2]]


def entries_kept(queue):
    return sum(len(group.heap) for group in queue._groups.values())


class QueueMachine(RuleBasedStateMachine):
    """Random pushes and removals, also of jobs that come back with the key they had."""

    def __init__(self):
        super().__init__()
        self.queue = Queue()
        self.model = {}
        self.keys = {}
        self.seq = 0

    @rule(group=st.sampled_from(GROUPS), first=st.booleans(), capacity_class=st.sampled_from(list(CapacityClass)))
    def push_new(self, group, first, capacity_class):
        self.seq += 1
        self.keys[f"job{self.seq}"] = (order_key(first, capacity_class, self.seq), group)
        self.push_again(f"job{self.seq}")

    @rule(data=st.data())
    def push_back(self, data):
        away = sorted(self.keys.keys() - self.model.keys())
        if away:
            self.push_again(data.draw(st.sampled_from(away)))

    def push_again(self, job):
        self.model[job] = self.keys[job]
        self.queue.push(job, *self.keys[job])

    @rule(data=st.data())
    def remove(self, data):
        if self.model:
            job = data.draw(st.sampled_from(sorted(self.model)))
            del self.model[job]
            self.queue.remove(job)

    @rule()
    def remove_a_stranger(self):
        self.queue.remove("stranger")

    @rule(data=st.data())
    def walk_with_closing(self, data):
        closed, seen, expected = set(), [], []
        stop_at = data.draw(st.sets(st.integers(0, 20), max_size=3))
        for number, (job, group) in enumerate(self.queue.walk(closed)):
            seen.append(job)
            if number in stop_at:
                closed.add(group)
        closed_in_model = set()
        for job, (_, group) in sorted(self.model.items(), key=lambda one: one[1][0]):
            if group in closed_in_model:
                continue
            if len(expected) in stop_at:
                closed_in_model.add(group)
            expected.append(job)
        assert seen == expected

    @invariant()
    def is_the_sorted_list(self):
        in_order = sorted(self.model, key=lambda job: self.model[job][0])
        assert [job for job, _ in self.queue.walk(set())] == in_order
        assert len(self.queue) == len(in_order)
        assert [self.queue.ahead_of(job) for job in in_order] == list(range(len(in_order)))
        assert all(job in self.queue for job in in_order)
        assert all(group == self.model[job][1] for job, group in self.queue.walk(set()))

    @invariant()
    def keeps_no_more_stale_entries_than_allowed(self):
        assert entries_kept(self.queue) <= 2 * len(self.model) + 17 * len(GROUPS)


QueueMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestQueue = QueueMachine.TestCase


def test_jobs_that_pass_a_blocked_head_leave_nothing_behind():
    queue, group = Queue(), GROUPS[0]
    queue.push("head", (1, 0, 0), group)
    for seq in range(1, 5_000):
        queue.push(f"job{seq}", (1, 0, seq), group)
        queue.remove(f"job{seq}")
        assert entries_kept(queue) < 64
    assert [job for job, _ in queue.walk(set())] == ["head"]


def test_a_job_that_comes_back_with_its_old_key_stands_in_the_queue_once():
    """A job that lost its reservation and got it again was found twice, and planned twice in one cycle."""
    queue = Queue()
    for job, seq in (("head", 0), ("back", 1)):
        queue.push(job, (1, 0, seq), GROUPS[0])
    queue.remove("back")
    queue.push("back", (1, 0, 1), GROUPS[0])
    assert [job for job, _ in queue.walk(set())] == ["head", "back"]
