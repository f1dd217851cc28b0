"""Small fleets and requests in domain words, and strategies for them."""

from hypothesis import strategies as st

from eisbach.core.admission.state import ActiveJob, SchedulerState
from eisbach.core.capacity.fleet import Fleet
from eisbach.core.capacity.inventory import Node
from eisbach.core.jobs.request import CapacityClass, NodeShape
from eisbach.core.vocabulary.quantities import HOUR_MS


def a_node(name, *, cores=8, memory_mib=8192, gpus=0, flavour=None, drained=False, removed=False, site="here", rack=""):
    return Node(
        node=name,
        pool="p",
        site=site,
        rack=rack,
        flavour=flavour or (f"h200.{gpus}" if gpus else "cpu"),
        cpu_milli=cores * 1000,
        memory_mib=memory_mib,
        gpus=gpus,
        drained=drained,
        removed=removed,
    )


def a_fleet(*nodes):
    fleet = Fleet()
    for node in nodes:
        fleet.add(node)
    return fleet


def a_shape(cores=1, memory_mib=0, gpus=0, flavour=None):
    return NodeShape(cpu_milli=round(cores * 1000), memory_mib=memory_mib, gpus=gpus, flavour=flavour)


def an_active(name, seq, *, nodes=1, shapes=None, limit_ms=HOUR_MS, grace_ms=0, capacity_class=CapacityClass.ON_DEMAND, **more):
    """A job with these fields; `more` are those that only change after it was submitted, too."""
    job = ActiveJob(
        job=name,
        project="prj",
        seq=seq,
        submitted_ms=0,
        nodes=nodes,
        shapes=shapes or (a_shape(),),
        capacity_class=capacity_class,
        limit_ms=limit_ms,
        grace_ms=grace_ms,
        attempts_max=1,
        is_funded=True,
    )
    for field, value in more.items():
        setattr(job, field, value)
    job.__post_init__()
    return job


def a_state(fleet, *jobs):
    state = SchedulerState(fleet=fleet)
    for job in jobs:
        state.add(job)
    return state


def free_of(fleet):
    """What is free on each node, to compare a fleet before and after."""
    return {
        name: (node.free_cpu_milli, node.free_memory_mib, tuple(node.free_gpus), node.drained, node.removed)
        for name, node in fleet.nodes.items()
    }


nodes = st.builds(
    lambda cores, gpus, drained, site: (cores, gpus, drained, site),
    st.integers(1, 6),
    st.integers(0, 3),
    st.sampled_from([False] * 4 + [True]),
    st.sampled_from(["here", "there"]),
)
fleets = st.lists(nodes, min_size=1, max_size=4).map(
    lambda drawn: a_fleet(
        *(
            a_node(f"n{number}", cores=cores, memory_mib=4096, gpus=gpus, drained=drained, site=site)
            for number, (cores, gpus, drained, site) in enumerate(drawn)
        )
    )
)
shapes = st.builds(
    a_shape, st.integers(1, 4), st.sampled_from([0, 512, 2048]), st.sampled_from([0, 0, 1, 2]), st.sampled_from([None, None, "cpu", "h200"])
)
