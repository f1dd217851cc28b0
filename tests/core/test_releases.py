"""Both orders of what lets go of shares: against sorting everything that is held, after whatever happens to it."""

from hypothesis import given
from hypothesis import strategies as st

from eisbach.core.admission.releases import Releases
from tests.core.fleets import an_active

acts = st.lists(
    st.tuples(st.sampled_from(["hold", "run", "stop", "end"]), st.integers(0, 5), st.integers(0, 30), st.integers(0, 20), st.integers(1, 40)), max_size=40
)


def by_instant(found):
    return sorted((at_ms, job.job) for at_ms, job in found)


@given(acts, st.integers(0, 60))
def test_both_orders_follow_what_happens(drawn, now):
    releases, held = Releases(), {}
    for act, number, at_ms, predicted_ms, limit_ms in drawn:
        name = f"a{number}"
        job = held.get(name)
        before = expected(job) if job is not None else None
        if act == "hold" and job is None:
            job = held[name] = an_active(name, number, limit_ms=limit_ms, predicted_ms=predicted_ms)
            job.planned_ms = at_ms
        elif act == "run" and job is not None:
            job.running_ms = at_ms
        elif act == "stop" and job is not None:
            job.stop_ms, job.stop_grace_ms = at_ms, predicted_ms
        elif act == "end" and job is not None:
            releases.forget(name)
            del held[name]
            continue
        if job is not None:
            is_later = releases.note(name, job)
            assert is_later == (before is not None and any(new > old for new, old in zip(expected(job), before, strict=True)))
            assert not releases.note(name, job), "nothing is new then"
        if at_ms % 3 == 0:
            assert len(releases.by_limit) == len(held), "looks between what happens"
    assert [(at_ms, name) for at_ms, name, _ in releases.by_limit] == sorted((job.releases_ms(), name) for name, job in held.items())
    coming, outrun = list(releases.as_predicted(now)), list(releases.outrun(now))
    ends = {name: expected(job) for name, job in held.items()}
    assert by_instant(coming) == sorted((predicted, name) for name, (_, predicted) in ends.items() if predicted > now)
    assert by_instant(outrun) == sorted((limit, name) for name, (limit, predicted) in ends.items() if predicted <= now)
    for found in (coming, outrun):
        assert [at_ms for at_ms, _ in found] == sorted(at_ms for at_ms, _ in found)
    assert releases.next_outrun(now) == min((predicted for _, predicted in ends.values() if predicted > now), default=None)


def expected(job):
    """When an attempt lets go at the latest, and when it is expected to: no prediction says that it runs to its limit."""
    since = job.running_ms if job.running_ms is not None else job.planned_ms
    return job.releases_ms(), min(job.releases_ms(), since + job.predicted_ms) if job.predicted_ms else job.releases_ms()
