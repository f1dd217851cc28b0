"""Packing a list of nodes: the same seed, the same answer; what is wrong with a list is told by line, column and value."""

import gzip
from itertools import pairwise

import pytest

from eisbach.core.capacity.fit import Kind, NodeState
from eisbach.core.jobs.request import NodeShape
from eisbach.core.scheduling.rank import Gradient
from eisbach.twin.pack import RANKINGS, arrivals, gpu_milli_of, pack
from eisbach.twin.pack_files import read_nodes, read_pods
from eisbach.twin.trace_file import TraceError
from tests.faces.cli_tools import run_cli

NODES = "sn,cpu_milli,memory_mib,gpu,model\n" + "".join(f"n{nth},64000,262144,4,V100\n" for nth in range(6)) + "c1,32000,65536,0,\n"
PODS = "job_id,user,submit_s,start_s,duration_s,gpus,cpus,state,kind\n" + "".join(
    f"p{nth},,0,0,1,{gpus},{cpus},Running,qos:LS;mem_mib:{mib};spec:\n"
    for nth, (gpus, cpus, mib) in enumerate([(0.5, 8, 1000), (0.3, 4, 2000), (1, 12, 4000), (2, 20, 8000), (0, 8, 1000), (0.7, 2, 500)])
)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "nodes.csv").write_text(NODES)
    (tmp_path / "pods.csv.gz").write_bytes(gzip.compress(PODS.encode()))
    return tmp_path / "nodes.csv", tmp_path / "pods.csv.gz"


@pytest.mark.parametrize("policy", RANKINGS)
def test_the_same_seed_packs_the_same_and_nothing_is_packed_twice(files, policy):
    first, second = (pack(read_nodes(files[0]), read_pods(files[1]), policy=policy, seed=3) for _ in range(2))
    assert first == second
    assert 0.5 < first.allocated_at_full_demand <= first.allocated_final <= 1
    assert 0 < first.placed <= first.pods


def test_more_pods_arrive_than_there_are_until_they_ask_for_enough(files):
    pods = read_pods(files[1])
    arriving = arrivals(pods, 31_200, 1)
    assert sum(map(gpu_milli_of, arriving)) >= 31_200 > sum(map(gpu_milli_of, arriving)) - 2000
    assert all(arriving.count(pod) >= pods.count(pod) for pod in pods)
    assert arriving == arrivals(pods, 31_200, 1) != arrivals(pods, 31_200, 2)


def test_a_pod_may_accept_several_models_and_a_part_stays_on_one_gpu(tmp_path):
    path = tmp_path / "pods.csv"
    path.write_text("job_id,gpus,cpus,kind\na,0.25,1.5,mem_mib:512;spec:V100M16|T4\nb,8,64,\n")
    (first, second), (whole,) = read_pods(path)
    assert (first.flavour, second.flavour) == ("v100m16", "t4")
    assert (first.gpus, first.gpu_milli, first.cpu_milli, first.memory_mib) == (1, 250, 1500, 512)
    assert (whole.gpus, whole.gpu_milli, whole.flavour) == (8, 1000, None)


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ("sn,cpu_milli,memory_mib,gpu\nn1,1,1,1\n", ":1: the column 'model' is missing"),
        ("sn,cpu_milli,memory_mib,gpu,model\nn1,1,1,1,T4\nn1,1,1,1,T4\n", ":3: sn is 'n1', but must name each node once"),
        ("sn,cpu_milli,memory_mib,gpu,model\nn1,-5,1,1,T4\n", ":2: cpu_milli is '-5'"),
        ("sn,cpu_milli,memory_mib,gpu,model\nn1,1,1,9999,T4\n", ":2: gpu is '9999'"),
        ("sn,cpu_milli,memory_mib,gpu,model\nn1,1,1,2,\n", ":2: model is ''"),
        ("sn,cpu_milli,memory_mib,gpu,model\nn1,1,1,0,\n", "no node of it has a GPU"),
        ("sn,cpu_milli,memory_mib,gpu,model\nn1,1,1,0,,7\n", ":2: the row has more fields"),
        ("", ":1: the column 'sn' is missing"),
    ],
)
def test_a_list_of_nodes_with_a_mistake_is_refused(tmp_path, nodes, says):
    path = tmp_path / "nodes.csv"
    path.write_text(nodes)
    with pytest.raises(TraceError) as refused:
        read_nodes(path)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("a,nan,1,\n", ":2: gpus is 'nan'"),
        ("a,1.5,1,\n", "must be a part of one GPU or a whole number"),
        ("a,-1,1,\n", ":2: gpus is '-1'"),
        ("a,1,much,\n", ":2: cpus is 'much'"),
        ("a,1,1,mem_mib:some\n", ":2: kind is 'some'"),
        ("a,0,1,\n", "no pod of it asks for a GPU"),
    ],
)
def test_a_list_of_pods_with_a_mistake_is_refused(tmp_path, rows, says):
    path = tmp_path / "pods.csv"
    path.write_text("job_id,gpus,cpus,kind\n" + rows)
    with pytest.raises(TraceError) as refused:
        read_pods(path)
    assert says in str(refused.value)


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "noise").write_bytes(b"\x1f\x8bnoise")
    for path in (tmp_path / "noise", tmp_path / "absent"):
        with pytest.raises(TraceError):
            read_pods(path)


def test_models_that_no_node_has_are_told(files):
    nodes, pods = files
    rows = "q1,,0,0,1,1,1,,mem_mib:1;spec:H900\nq2,,0,0,1,1,1,,mem_mib:1;spec:V100|B1\nq3,,0,0,1,0,1,,mem_mib:1;spec:Z9\n"
    pods.write_bytes(gzip.compress((PODS + rows).encode()))
    ran = run_cli("twin", "pack", "--nodes", str(nodes), "--pods", str(pods), "--json")
    assert ran.document()["models_unknown"] == {"b1": 0, "h900": 1}
    shown = run_cli("twin", "pack", "--nodes", str(nodes), "--pods", str(pods)).out
    assert "h900; 1 pod of the list accept nothing else" in shown
    pods.write_bytes(gzip.compress(PODS.encode()))
    assert run_cli("twin", "pack", "--nodes", str(nodes), "--pods", str(pods), "--json").document()["models_unknown"] == {}


def test_where_all_are_alike_the_gradient_leaves_whole_gpus_whole():
    kind = Kind("v100.4", 64_000, 262_144, 4)
    half, whole = (NodeShape(cpu_milli=1000, memory_mib=1, gpus=1, gpu_milli=part) for part in (500, 1000))
    gradient = Gradient({half: 1, whole: 3})
    broken = NodeState(60_000, 262_000, 3, (500,))
    answer = gradient.answer(kind, half, broken)
    assert answer is not None
    assert answer[1] == 500, "the half that is already a fragment for whole tasks"
    states = [NodeState(60_000, 262_000, gpus) for gpus in range(5)]
    assert all(gradient.usable(kind, less) < gradient.usable(kind, more) for less, more in pairwise(states))
