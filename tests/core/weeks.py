"""A week of jobs replayed over the scheduler's own state, without an application: counts and waits, nothing else."""

import csv
import gzip
import heapq
from dataclasses import dataclass, field

from eisbach.core.admission.cycle import decide
from eisbach.core.admission.state import ActiveJob, SchedulerState
from eisbach.core.capacity.inventory import Node
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.jobs.request import CapacityClass, NodeShape

WHOLE_NODE = (NodeShape(cpu_milli=8000, memory_mib=8192, gpus=8, flavour="h200.8"),)


def read_week(path, jobs_max=None):
    """Return (submit, nodes, duration, limit) of each job, in seconds."""
    with gzip.open(path, "rt") as file:
        rows = [(int(r["submit_s"]), int(r["nodes"]), int(r["duration_s"]), int(r["limit_s"])) for r in csv.DictReader(file)]
    return rows[:jobs_max]


def a_factory(nodes, policy):
    """Return a state with equal nodes of 8 GPUs in racks of 8 and rows of 16 racks."""
    state = SchedulerState(policy=policy)
    for number in range(nodes):
        rack = number // 8
        state.fleet.add(
            Node(
                node=f"n{number:05d}", pool="p", site="here", flavour="h200.8", cpu_milli=8000, memory_mib=8192, gpus=8,
                hall="h", row=f"r{rack // 16:03d}", rack=f"k{rack:04d}",
            )
        )  # fmt: skip
    return state


@dataclass
class Replay:
    """What a replay showed."""

    waits_s: list = field(default_factory=list)
    gangs_s: list = field(default_factory=list)
    cycles: int = 0
    promises: int = 0
    earlier: int = 0
    late: int = 0

    @property
    def mean_wait_s(self):
        return sum(self.waits_s) / len(self.waits_s)

    @property
    def mean_gang_wait_s(self):
        return sum(self.gangs_s) / len(self.gangs_s)

    def p99_gang_wait_s(self):
        return sorted(self.gangs_s)[min(len(self.gangs_s) - 1, int(0.99 * len(self.gangs_s)))]


def carry_out(state, plan, now):
    """Make a plan true, as the application's events do."""
    for broken in plan.broken:
        state.break_promise(broken.job)
    for start in plan.starts:
        job = state.jobs[start.job]
        state.start(job, f"a{job.job}", start.shape, start.shares, now)
        state.run(job, now, now)
    for given in plan.given:
        state.promise(given, now)
    state.settle(plan, now)


def replay(rows, nodes, policy, *, within=None, look=lambda state, now, plan: None):
    """Replay a week: every cycle after all that happens at one instant; return what it showed."""
    state, shown = a_factory(nodes, policy), Replay()
    coming = [(row[0] * 1000, 1, number) for number, row in enumerate(rows)]
    heapq.heapify(coming)
    promised = {}
    while coming or len(state.queue):
        due = state.next_instant()
        now = min(one for one in (coming[0][0] if coming else None, due) if one is not None)
        while coming and coming[0][0] == now:
            _, kind, number = heapq.heappop(coming)
            if kind == 0:
                state.release(state.jobs[f"j{number:06d}"], after=JobState.ENDED)
                state.note_freed(now)
                continue
            _, size, _, limit_s = rows[number]
            state.add(
                ActiveJob(
                    job=f"j{number:06d}", project="p", seq=number, submitted_ms=now, nodes=size, shapes=WHOLE_NODE,
                    capacity_class=CapacityClass.ON_DEMAND, limit_ms=limit_s * 1000, grace_ms=0, attempts_max=1, is_funded=True,
                    within=within,
                )
            )  # fmt: skip
        is_more = True
        while is_more:
            plan = decide(state, now)
            look(state, now, plan)
            shown.cycles += 1
            for start in plan.starts:
                number = int(start.job[1:])
                wait_s = now // 1000 - rows[number][0]
                shown.waits_s.append(wait_s)
                if rows[number][1] >= 64:
                    shown.gangs_s.append(wait_s)
                if now > promised.get(start.job, now):
                    shown.late += 1
                heapq.heappush(coming, (now + rows[number][2] * 1000, 0, number))
            for given in plan.given:
                shown.promises += 1
                shown.earlier += given.earlier_than_ms is not None
                promised[given.job] = given.from_ms
            carry_out(state, plan, now)
            is_more = not plan.is_whole
    return shown
