"""What goes wrong in the twin: lost nodes stop their gangs, which start again elsewhere; scripted events come and go."""

import pytest

from eisbach.adapters.home_files import HomeFileError
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS
from eisbach.twin.faults import UnknownPlace, acts_of
from eisbach.twin.faults_file import read_faults
from eisbach.twin.scenario import Scenario
from eisbach.twin.trace_workload import TraceWorkload
from eisbach.twin.world import START_MS
from tests.twin.traces import WEEK, a_site, written

LOSE = '[[event]]\nat = "10m"\ndo = "lose"\nnodes = ["n0"]\nfor = "1h"\n'


def played(tmp_path, faults, rows, *, days=None, nodes=4):
    site = a_site(nodes)
    workload = TraceWorkload(written(tmp_path, WEEK + rows), site)
    said = read_faults(written(tmp_path, faults, "faults.toml"))
    acts = acts_of(said, site, begin_ms=START_MS, days=days or 0, seed=3)
    scenario = Scenario(sites=(site,), workload=workload, acts=tuple(acts), days=days)
    world = scenario.world()
    return scenario.play(world), world


def test_a_lost_node_stops_its_gang_which_starts_again_elsewhere(tmp_path):
    result, world = played(tmp_path, LOSE, "a,0,2,3600,7200\n")
    assert (result.jobs, result.finished) == (1, 1)
    assert result.makespan_s == 600 + 3600  # nothing of it was saved, and there were two other nodes
    assert world.state.totals["succeeded"] == 1
    assert world.state.health.marks == {}  # repaired after an hour


def test_a_lost_node_takes_nothing_until_it_is_repaired(tmp_path):
    result, _ = played(tmp_path, LOSE, "a,900,4,60,120\n")
    assert result.mean_wait_s == 600 + 3600 - 900


@pytest.mark.parametrize("happening", ["drain", "cordon"])
def test_operators_close_a_rack_and_open_it_again(tmp_path, happening):
    event = f'[[event]]\nat = "1m"\ndo = "{happening}"\nrack = "rack-1"\nfor = "2h"\n'
    result, world = played(tmp_path, event, "a,120,3,60,120\n")
    assert result.mean_wait_s == 7260 - 120
    assert all(node.available for node in world.state.scheduler.fleet.nodes.values())


def test_random_failures_repeat_by_their_seed_and_come_as_often_as_said(tmp_path):
    site = a_site(100)
    said = read_faults(written(tmp_path, '[[node]]\nflavour = "b200"\nmtbf = "50d"\nrepair = "6h"\n[[hall]]\nmtbf = "20d"\n', "f.toml"))
    drawn = [
        [act.at_ms for act in acts_of(said, site, begin_ms=0, days=100, seed=seed)] for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] == sorted(drawn[0])
    assert 160 <= len(drawn[0]) / 2 <= 240  # 100 nodes of 50 days in 100 days, and a hall of 20


def test_a_factory_with_many_failures_still_finishes(tmp_path):
    rows = "".join(f"j{nth},{nth * 1000},{nth % 3 + 1},{HOUR_MS // 1000},{2 * HOUR_MS // 1000}\n" for nth in range(60))
    result, world = played(tmp_path, '[[node]]\nmtbf = "2d"\nrepair = "1h"\n', rows, days=4)
    assert result.finished == 60
    assert world.now <= START_MS + 4 * DAY_MS
    assert not world.state.scheduler.holding


def test_a_fault_that_nothing_has(tmp_path):
    for text, said in (
        ('[[event]]\nat = 5\ndo = "lose"\nhall = "hall-9"\n', "no node at hall=hall-9"),
        ('[[node]]\nflavour = "a100"\nmtbf = "9d"\n', "no nodes of the flavour 'a100'"),
        ('[[hall]]\nhall = "x"\nmtbf = "9d"\n', "no hall 'x'"),
    ):
        with pytest.raises(UnknownPlace, match=said):
            played(tmp_path, text, "a,0,1,1,1\n", days=1)


def test_all_mistakes_of_a_file_are_said_at_once(tmp_path):
    text = '[[node]]\nrepair = "never"\n[[event]]\nat = "soon"\ndo = "burn"\nnodes = "n0"\ncolour = 1\n[[event]]\nat = 1\ndo = "drain"\n'
    with pytest.raises(HomeFileError) as error:
        read_faults(written(tmp_path, text, "faults.toml"))
    wrong = ("mtbf is missing", "repair is 'never'", "at is 'soon'", "do is 'burn'", "nodes is 'n0'", "'colour' is not known", "number 2: says no node")
    assert [one for one in wrong if one not in str(error.value)] == []
    late = '[[event]]\nat = "99999d"\ndo = "lose"\nhall = "hall-1"\nfor = "3661d"\n'
    with pytest.raises(HomeFileError, match=r"at is '99999d', but no run is longer than 3,660 days\n.*for is '3661d'.*leave it out where it stays"):
        read_faults(written(tmp_path, late, "faults.toml"))
    with pytest.raises(HomeFileError, match="nothing goes wrong here"):
        read_faults(written(tmp_path, "", "faults.toml"))
