"""The usual workload: counted from what is submitted, looked at now and then, bounded, and the same after a restart."""

from eisbach.core.scheduling.typical import COUNT_MAX, LEARNT_AFTER, SHAPES_MAX, TASKS_MAX, Typical
from tests.core.fleets import a_shape


def test_it_is_looked_at_when_enough_is_new():
    typical = Typical()
    assert [typical.note(a_shape(gpus=1), 1) for _ in range(LEARNT_AFTER)] == [False] * (LEARNT_AFTER - 1) + [True]
    assert typical.learnt == {a_shape(gpus=1): LEARNT_AFTER}
    again = Typical.restored(typical.saved())
    assert (again.saved(), again.total) == (typical.saved(), typical.total)


def test_work_without_gpus_and_large_gangs_say_little():
    typical = Typical()
    typical.note(a_shape(), 5)
    typical.note(a_shape(gpus=8), 500)
    assert typical.counts == {a_shape(gpus=8): TASKS_MAX}


def test_old_submissions_count_less_and_rare_shapes_are_forgotten():
    typical = Typical()
    for nth in range(SHAPES_MAX + 1):
        typical.note(a_shape(gpus=1, memory_mib=nth), 1 if nth else 40)
    assert typical.counts == {a_shape(gpus=1): 20}
    for _ in range(2 * COUNT_MAX // TASKS_MAX):
        typical.note(a_shape(gpus=2), TASKS_MAX)
    assert typical.total == sum(typical.counts.values()) <= COUNT_MAX + TASKS_MAX
