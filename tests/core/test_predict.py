"""Predicted runtimes: from the last two runs of the same user, within the limit, bounded in memory."""

from hypothesis import given
from hypothesis import strategies as st

from eisbach.core.scheduling import predict
from eisbach.core.scheduling.predict import RunHistory
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS


def test_without_two_runs_the_limit_is_all_that_is_known():
    history = RunHistory()
    assert history.predict("ada", 1, HOUR_MS) == HOUR_MS
    history.note("ada", 1, MINUTE_MS, HOUR_MS, 0)
    assert history.predict("ada", 1, HOUR_MS) == HOUR_MS


def test_the_mean_of_the_last_two_runs_counts_and_nothing_older():
    history = RunHistory()
    for minutes in (59, 10, 20):
        history.note("ada", 1, minutes * MINUTE_MS, HOUR_MS, 0)
    assert abs(history.predict("ada", 1, HOUR_MS) - 15 * MINUTE_MS) < 10
    assert abs(history.predict("ada", 1, 2 * HOUR_MS) - 30 * MINUTE_MS) < 10  # who asks for twice as long runs so
    assert history.predict("bob", 1, HOUR_MS) == HOUR_MS


def test_work_of_the_same_size_is_asked_first():
    history = RunHistory()
    for _ in range(2):
        history.note("ada", 64, 50 * MINUTE_MS, HOUR_MS, 0)
    for _ in range(2):
        history.note("ada", 1, MINUTE_MS, HOUR_MS, 0)
    assert abs(history.predict("ada", 100, HOUR_MS) - 50 * MINUTE_MS) < 10  # 64 to 127 nodes are alike
    assert abs(history.predict("ada", 8, HOUR_MS) - MINUTE_MS) < 10  # no run of that size: the last two of any


def test_who_ran_nothing_for_longest_is_forgotten(monkeypatch):
    monkeypatch.setattr(predict, "USERS_MAX", 20)
    history = RunHistory()
    for number in range(30):
        history.note(f"user {number}", 1, 1, 2, number)
        assert len(history.users) == len(history.last_ms) <= 20
    assert "user 0" not in history.users
    assert "user 29" in history.users


@given(st.lists(st.tuples(st.integers(1, 4096), st.integers(0, 10**9), st.integers(1, 10**9)), max_size=8), st.integers(1, 10**9))
def test_a_prediction_is_never_above_the_limit(runs, limit_ms):
    history = RunHistory()
    for nodes, ran_ms, its_limit_ms in runs:
        history.note("ada", nodes, ran_ms, its_limit_ms, 0)
    assert 0 < history.predict("ada", 4, limit_ms) <= limit_ms
