"""The queue against a sorted list: classes, fair shares, age; and its lines, of which a look may skip whole blocks."""

from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from eisbach.core.capacity.where import ANYWHERE
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.scheduling.order import UNASKED_MAX, Line, Queue, Request, order_key, served_as_of
from eisbach.core.scheduling.policy import DEFAULT, EASY
from eisbach.core.vocabulary.quantities import HOUR_MS
from tests.core.fleets import a_shape

REQUESTS = [Request((a_shape(cores),), nodes, ANYWHERE) for cores, nodes in ((1, 1), (2, 1), (2, 2))]


class FixedRanks:
    """Leaves in an order that the test sets."""

    def __init__(self):
        self.ranks = {"a": (1, "a"), "b": (2, "b")}

    def rank(self, leaf):
        return self.ranks[leaf]


RANKS = FixedRanks()


def test_the_class_comes_first_then_who_was_thrown_back_then_first_come_first_served():
    on_demand, spot = CapacityClass.ON_DEMAND, CapacityClass.SPOT
    keys = [order_key(False, on_demand, 7), order_key(True, spot, 9), order_key(False, spot, 3), order_key(True, on_demand, 8)]
    assert sorted(keys) == [keys[3], keys[0], keys[1], keys[2]]
    assert order_key(False, CapacityClass.RESERVED, 99) < keys[3]


def test_a_long_job_waits_behind_a_shorter_one_that_came_a_little_later_but_not_behind_one_that_came_much_later():
    long, short_soon, short_late = (served_as_of(DEFAULT, at, length) for at, length in ((0, 10), (5, 1), (11, 1)))
    assert short_soon < long * HOUR_MS
    assert sorted([long, short_soon, short_late]) == [short_soon, long, short_late]
    assert served_as_of(EASY, 5, 10) == served_as_of(EASY, 0, 1)


class QueueMachine(RuleBasedStateMachine):
    """Random pushes and removals, also of jobs that come back with the key they had."""

    def __init__(self):
        super().__init__()
        self.queue = Queue()
        self.model = {}
        self.keys = {}
        self.seq = 0

    @rule(
        request=st.sampled_from(REQUESTS),
        first=st.booleans(),
        capacity_class=st.sampled_from(list(CapacityClass)),
        leaf=st.sampled_from(["a", "b"]),
        served=st.integers(0, 3),
        length=st.integers(1, 4),
    )
    def push_new(self, request, first, capacity_class, leaf, served, length):
        self.seq += 1
        self.keys[f"job{self.seq}"] = (order_key(first, capacity_class, self.seq), request, leaf, served, length)
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

    @rule(data=st.data(), count=st.integers(1, 3))
    def start_some_of_several_that_come_at_once(self, data, count):
        """Nobody looks at the order between: who starts at once never stands in a line."""
        for _ in range(count):
            self.push_new(REQUESTS[0], False, CapacityClass.ON_DEMAND, data.draw(st.sampled_from(["a", "b"])), data.draw(st.integers(0, 3)), 1)
        for number in range(data.draw(st.integers(0, count))):
            del self.model[f"job{self.seq - number}"]
            self.queue.remove(f"job{self.seq - number}")

    @rule()
    def remove_a_stranger(self):
        self.queue.remove("stranger")

    def in_order(self):
        def place(job):
            key, _, leaf, served, _ = self.model[job]
            return (key[:2], RANKS.rank(leaf), served, key[2])

        return sorted(self.model, key=place)

    @rule(data=st.data())
    def walk_with_bounds_that_fall(self, data):
        falls = data.draw(st.dictionaries(st.integers(0, 12), st.tuples(st.sampled_from(REQUESTS), st.integers(-1, 3)), max_size=3))
        longest, seen, expected, known, closed = {}, [], [], {}, set()
        for number, (job, _) in enumerate(self.queue.walk(longest, RANKS, closed)):
            seen.append(job)
            if number in falls:
                request, bound = falls[number]
                longest[request] = min(bound, longest.get(request, 99))
                if longest[request] < 0:
                    closed.add(request)
        for job in self.in_order():
            _, request, _, _, length = self.model[job]
            if length > known.get(request, 99):
                continue
            if len(expected) in falls:
                other, bound = falls[len(expected)]
                known[other] = min(bound, known.get(other, 99))
            expected.append(job)
        assert seen == expected

    @rule(data=st.data())
    def some_in_order(self, data):
        some = [job for job in sorted(self.model) if data.draw(st.booleans())]
        assert [job for job, _ in self.queue.in_order(some, RANKS)] == [job for job in self.in_order() if job in some]

    @invariant()
    def is_the_sorted_list(self):
        in_order = self.in_order()
        assert [job for job, _ in self.queue.walk({}, RANKS)] == in_order
        assert len(self.queue) == len(in_order)
        assert [self.queue.ahead_of(job, RANKS) for job in in_order] == list(range(len(in_order)))
        assert all(self.queue.precedes(a, b, RANKS) for a, b in pairwise(in_order))
        assert all(job in self.queue for job in in_order)
        assert all(request == self.model[job][1] for job, request in self.queue.walk({}, RANKS))
        assert set(self.queue.requests()) == {request for _, request, _, _, _ in self.model.values()}


QueueMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestQueue = QueueMachine.TestCase


def test_the_leaf_for_which_something_starts_stands_behind_the_others():
    queue, ranks = Queue(), FixedRanks()
    for seq, leaf in enumerate("aabb"):
        queue.push(f"{leaf}{seq}", order_key(False, CapacityClass.ON_DEMAND, seq), REQUESTS[0], leaf)
    seen = []
    for job, _ in queue.walk({}, ranks):
        seen.append(job)
        ranks.ranks[job[0]] = (10 + len(seen), job[0])
    assert seen == ["a0", "b2", "a1", "b3"]


def test_equal_asks_have_one_request_and_those_of_nobody_are_forgotten():
    queue = Queue()
    waits = queue.request(((a_shape(1),), 1, ANYWHERE, None, "", False))
    queue.push("job", order_key(False, CapacityClass.ON_DEMAND, 1), waits)
    asked = [queue.request(((a_shape(1),), nodes, ANYWHERE, None, "", False)) for nodes in range(2, 3 * UNASKED_MAX)]
    assert queue.request(((a_shape(1),), 1, ANYWHERE, None, "", False)) is waits
    assert queue.request(((a_shape(1),), asked[-1].nodes, ANYWHERE, None, "", False)) is asked[-1]
    assert queue.request(((a_shape(1),), 2, ANYWHERE, None, "", False)) is not asked[0]
    assert list(queue.requests()) == [waits]
    assert (waits.is_known, asked[-1].is_known, asked[0].is_known) == (True, True, False), "whoever keeps one asks anew"


def test_a_long_line_keeps_its_order_and_finds_its_short_jobs():
    request = REQUESTS[0]
    entries = [(0, seq * 7919 % 5000, f"job{seq}", 5 if seq % 100 else 1) for seq in range(5000)]
    line = Line(request, entries[0])
    for entry in entries[1:]:
        line.add(entry)
    assert (line.count, line.first, line.shortest) == (5000, min(entries), 1)
    assert list(line.within({})) == sorted(entries)
    assert list(line.within({request: 1})) == sorted(entry for entry in entries if entry[3] == 1)
    for entry in entries[::2]:
        line.remove(entry)
    assert list(line.within({})) == sorted(entries[1::2])
    left = sorted(entries[1::2])
    for entry in entries[1::2][:-1]:
        line.remove(entry)
        left.remove(entry)
        assert (line.count, line.first) == (len(left), left[0])
        assert len(left) % 100 or line.shortest == min(one[3] for one in left)
    assert list(line.within({})) == left == [entries[-1]]
