"""What one decision costs: 100,000 jobs of many different requests wait on 12,500 nodes that are all busy.

    python -m benchmarks.decisions [--jobs 100000] [--nodes 12500] [--rounds 500]

One more submission: from the command's own job to a plan, CPU of the thread, p99 over all rounds; beside it the same with
everything looked at again, as after a release. "Cannot fit, because": the question of `eisbach why` about one that waits.
"""

import argparse
import time
from random import Random

from eisbach.app import explain_job
from eisbach.app.state import FactoryState, JobAccount
from eisbach.core.admission.cycle import decide
from eisbach.core.admission.state import ActiveJob, SchedulerState
from eisbach.core.capacity.inventory import Node
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.jobs.request import CapacityClass, NodeShape
from eisbach.core.jobs.within import Level, Within
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS

LEAVES, GPUS_EACH = 200, (1, 2, 4, 8)


def a_fleet(state: SchedulerState, nodes: int) -> None:
    """Add equal nodes of 8 GPUs in racks of 8 nodes and rows of 16 racks."""
    for number in range(nodes):
        rack = number // 8
        node = Node(
            node=f"n{number:05d}", pool="gpu", site="here", flavour="b200.8", cpu_milli=128_000, memory_mib=1_048_576, gpus=8,
            hall="h1", row=f"r{rack // 16:03d}", rack=f"k{rack:05d}",
        )  # fmt: skip
        state.fleet.add(node)


def a_job(chance: Random, seq: int, now: int) -> ActiveJob:
    """Return a waiting job: one of some thousand different requests of some hundred projects."""
    gpus = chance.choice(GPUS_EACH)
    shape = NodeShape(cpu_milli=chance.randint(1, 12) * 1000 * gpus, memory_mib=1024 * gpus, gpus=gpus, flavour="b200.8")
    nodes = chance.choice((1, 1, 1, 1, 2, 2, 4, 8, 16, 32, 64, 128))
    return ActiveJob(
        job=f"job{seq:07d}", project=f"prj{chance.randrange(LEAVES):04d}", seq=seq, submitted_ms=now, nodes=nodes, shapes=(shape,),
        capacity_class=CapacityClass.ON_DEMAND, limit_ms=chance.randint(1, 96) * HOUR_MS, grace_ms=30_000, attempts_max=1,
        is_funded=True, within=chance.choice((None, Within(Level.RACK))) if nodes > 1 else None,
    )  # fmt: skip


def settle(state: SchedulerState, now: int) -> None:
    """Carry a plan out, as the application's events do."""
    plan = decide(state, now)
    for start in plan.starts:
        job = state.jobs[start.job]
        state.start(job, f"a{job.job}", start.shape, start.shares, now)
        state.run(job, now, now)
    for given in plan.given:
        state.promise(given, now)
    state.settle(plan, now)


def a_busy_factory(chance: Random, jobs: int, nodes: int, now: int) -> SchedulerState:
    """Return a state in which every GPU is held and so many jobs wait."""
    state = SchedulerState()
    a_fleet(state, nodes)
    whole = NodeShape(cpu_milli=128_000, memory_mib=1_048_576, gpus=8, flavour="b200.8")
    for number in range(0, nodes, 4):
        held = a_job(chance, number, now)
        held.job, held.shapes, held.nodes, held.within = f"held{number:06d}", (whole,), min(4, nodes - number), None
        state.add(held)
        placed = state.fleet.place(whole, held.nodes)
        assert placed is not None
        state.start(held, f"a{held.job}", 0, placed, now)
        state.run(held, now, now)
    for seq in range(jobs):
        state.add(a_job(chance, nodes + seq, now + seq))
    return state


def measured(of: list[int]) -> str:
    """Return the median and the 99th percentile of nanoseconds, in milliseconds."""
    of.sort()
    return f"p50 {of[len(of) // 2] / 1e6:.3f} ms, p99 {of[int(0.99 * (len(of) - 1))] / 1e6:.3f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--nodes", type=int, default=12_500)
    parser.add_argument("--rounds", type=int, default=500)
    asked = parser.parse_args()
    chance, now = Random(7), 1_700_000_000_000
    state = a_busy_factory(chance, asked.jobs, asked.nodes, now)
    now += asked.jobs
    settle(state, now)
    requests = len({job.asks() for job in state.jobs.values() if job.state is JobState.WAITING})
    submissions: list[int] = []
    afresh: list[int] = []
    reasons: list[int] = []
    waiting = [job.job for job in state.jobs.values() if job.state is JobState.WAITING]
    factory = FactoryState(scheduler=state, accounts={job: JobAccount("prj", "2023-11", (0,), 0) for job in waiting})
    for number in range(asked.rounds):
        now += 1000
        job = a_job(chance, 10_000_000 + number, now)
        begun = time.thread_time_ns()
        state.add(job)
        plan = decide(state, now)
        submissions.append(time.thread_time_ns() - begun)
        state.settle(plan, now)
        ask = explain_job.question(job=chance.choice(waiting))
        begun = time.thread_time_ns()
        answer = ask(factory, now)
        reasons.append(time.thread_time_ns() - begun)
        assert answer is not None
        assert answer["reason"]
    for _ in range(max(5, asked.rounds // 20)):
        ending = next(job for job in state.holding.values())
        now += MINUTE_MS
        state.release(ending, after=JobState.ENDED)
        state.note_freed(now)
        begun = time.thread_time_ns()
        decide(state, now)
        afresh.append(time.thread_time_ns() - begun)
        settle(state, now)
    print(
        f"decisions: {asked.jobs:,} jobs of {requests:,} requests wait on {asked.nodes:,} busy nodes; one more submission "
        f"{measured(submissions)}; why it cannot start {measured(reasons)}; after a release {measured(afresh)}; "
        "CPU of the thread; python -m benchmarks.decisions"
    )


if __name__ == "__main__":
    main()
