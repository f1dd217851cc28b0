"""What happens by itself on nodes: who must leave and when, and that it is forgotten once nobody has to."""

from eisbach.core.capacity.fleet import Share
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.scheduling.agenda import SLACK, Agenda
from tests.core.fleets import a_fleet, a_node, a_state, an_active

ON_N1 = (Share(0, "n1", 1000, 0, ()),)


def test_who_holds_a_closing_node_leaves_a_grace_before_and_is_asked_once():
    agenda = Agenda()
    agenda.hold("before", ON_N1, 10)
    agenda.close(["n1"], 1000)
    for _ in range(2):
        agenda.hold("a", ON_N1, 10)
    agenda.hold("b", ON_N1, 30)
    assert (agenda.is_due(969), agenda.is_due(970)) == (False, True)
    assert agenda.take_due(970) == ["b"]
    assert agenda.take_due(995) == ["a"]
    assert agenda.take_due(999) == []


def test_an_earlier_closure_counts_and_its_end_brings_back_the_later_one():
    agenda = Agenda()
    agenda.close(["n1"], 5000)
    agenda.hold("a", ON_N1, 10)
    agenda.close(["n1"], 1000)
    agenda.hold("a", ON_N1, 10)
    agenda.reopen(["n1"], 1000)
    assert agenda.take_due(990) == ["a"], "it is asked then, and holds again"
    agenda.hold("a", ON_N1, 10)
    assert agenda.take_due(4989) == []
    assert agenda.take_due(4990) == ["a"]


def test_what_has_ended_long_before_a_closure_is_not_kept_until_then():
    """Each attempt on a node that was announced to close stayed in memory until it closed."""
    state = a_state(a_fleet(a_node("n1", cores=8)))
    state.agenda.close(["n1"], 10**12)
    for number in range(3 * SLACK):
        job = an_active(f"j{number}", number)
        state.add(job)
        state.start(job, f"a{number}", 0, (ON_N1[0]._replace(cpu_milli=1000),), number)
        state.release(job, after=JobState.ENDED)
    assert len(state.agenda._leaving) <= SLACK + 2
    assert state.agenda.take_due(10**12) == []
