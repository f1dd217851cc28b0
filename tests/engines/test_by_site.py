"""Several engines behind one: what is about an attempt reaches the engine of its site, and no other."""

import pytest

from eisbach.adapters.clocks import ManualClock
from eisbach.engines.by_site import EngineBySite
from eisbach.engines.simulated import SimulatedEngine
from eisbach.ports.engine import Ending, EngineUnavailable, Observation, Remains, StaleEpoch
from tests.contracts.engine_contract import a_stop, an_order


class Unavailable(SimulatedEngine):
    """An engine that does not answer."""

    def observe(self):
        raise EngineUnavailable("no answer")


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def two(clock):
    """Two engines, and the one that joins them: attempts named after `east` are the second one's."""
    west, east = SimulatedEngine(clock), SimulatedEngine(clock)
    routes = {"att_west": west, "att_east": east}
    return west, east, EngineBySite([west, east], routes.get)


def known(engine):
    return [seen.attempt_id for seen in engine.observe()]


def test_each_attempt_is_its_engines_alone_and_all_are_seen_in_order(two):
    west, east, both = two
    both.start(an_order("att_west", run="sleep 60"))
    both.start(an_order("att_east", run="sleep 60"))
    assert (known(west), known(east), known(both)) == (["att_west"], ["att_east"], ["att_east", "att_west"])
    both.stop(a_stop("att_east"))
    assert [seen.ending for seen in both.observe()] == [Ending.STOPPED, None]
    both.forget("att_east")
    assert known(both) == ["att_west"]


def test_a_stop_that_comes_first_is_remembered_where_the_start_will_come(two):
    west, east, both = two
    both.stop(a_stop("att_east"))
    both.start(an_order("att_east"))
    assert known(west) == []
    assert [seen.ending for seen in east.observe()] == [Ending.STOPPED]


def test_what_no_route_knows_belongs_to_the_engine_that_does(two):
    west, east, both = two
    east.start(an_order("att_old", run="sleep 60"))
    both.stop(a_stop("att_old"))
    assert (known(west), known(east)) == ([], ["att_old"])
    both.forget("att_old")
    assert known(both) == []


def test_a_subscriber_hears_of_all_sites(two):
    _, _, both = two
    heard: list[Observation] = []
    both.subscribe(heard.append)
    both.start(an_order("att_west", run="true"))
    both.start(an_order("att_east", run="false"))
    assert {seen.attempt_id for seen in heard} == {"att_west", "att_east"}


def test_half_of_the_truth_is_none(clock):
    """What one engine did not say would look lost."""
    with pytest.raises(EngineUnavailable):
        EngineBySite([SimulatedEngine(clock), Unavailable(clock)], lambda attempt: None).observe()


def test_an_older_leader_is_refused_at_every_site(two):
    _, east, both = two
    both.start(an_order("att_west", epoch=2))
    with pytest.raises(StaleEpoch):
        both.start(an_order("att_east", epoch=1))
    with pytest.raises(StaleEpoch):
        both.stop(a_stop("att_east", epoch=1))
    assert known(east) == []


def test_logs_and_artifacts_come_from_the_engine_of_the_attempt(two):
    _, _, both = two
    both.start(an_order("att_east", run="echo hello"))
    lines, offset = both.read_log("att_east")
    assert [(line.stream, line.text) for line in lines] == [("notice", "simulated: nothing was executed"), ("stdout", "hello")]
    assert both.read_log("att_east", offset) == ([], offset)
    assert both.read_log("att_west") == ([], 0)
    assert both.artifacts("att_east") == ()
    with pytest.raises(FileNotFoundError):
        both.read_artifact("att_east", "0/model")


def test_what_is_over_expires_at_every_site(two):
    _, _, both = two
    for attempt in ("att_west", "att_east"):
        both.start(an_order(attempt, run="echo hello"))
        both.forget(attempt)
    assert both.expire(Remains.OUTPUTS, lambda job, at_ms: True) == 0
    assert both.expire(Remains.LOGS, lambda job, at_ms: False) == 0
    assert both.expire(Remains.LOGS, lambda job, at_ms: True) == 2
    assert both.expire(Remains.LOGS, lambda job, at_ms: True) == 0
    assert both.read_log("att_east") == ([], 0)


def test_each_engine_says_when_its_own_attempts_saved(clock):
    class Saving(SimulatedEngine):
        def saved_at(self, running):
            return {name: len(running) for name in running}

    west, east = Saving(clock), SimulatedEngine(clock)
    both = EngineBySite([west, east], {"att_west": west, "att_east": east}.get)
    assert both.saved_at({"att_west": "job_1", "att_east": "job_2"}) == {"att_west": 1}
