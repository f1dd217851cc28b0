"""What the factory is doing, as figures for operators and their monitoring."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from eisbach.app.list_sites import facts_of
from eisbach.app.map_halls import allocated_permille, attempts_on, condition_of
from eisbach.app.state import FactoryState
from eisbach.core.capacity.health import Health
from eisbach.core.jobs.lifecycle import JobState

if TYPE_CHECKING:
    from eisbach.app.application import Application

Sample = tuple[str, dict[str, str], float]
MEANINGS = {
    "eisbach_log_events": "Events in the log",
    "eisbach_leader_epoch": "Grows by one with each start",
    "eisbach_store_failing": "1 while commits fail",
    "eisbach_queue_jobs": "Jobs that wait for capacity",
    "eisbach_unfunded_jobs": "Jobs that wait for money",
    "eisbach_jobs": "Jobs that have not ended, by state",
    "eisbach_jobs_total": "Jobs ever submitted, and ended by outcome",
    "eisbach_capacity": "What the nodes have",
    "eisbach_capacity_free": "What of it is free",
}
"""What each figure says, for the answer's HELP lines; docs/operations.md says the same."""


def status(application: "Application") -> dict[str, Any]:
    """Return what runs, waits and exists, where the log stands, and how work is isolated."""
    answer = application.ask(_facts).result()
    answer["isolation"] = application.isolation
    answer["failure"] = application.applier.failure
    answer["epoch"] = application.epoch
    return answer


def metrics(application: "Application") -> list[Sample]:
    """Return (name, labels, value) of every figure, names as in docs/operations.md."""
    facts = application.ask(_facts).result()
    samples: list[Sample] = [
        ("eisbach_log_events", {}, facts["log_size"]),
        ("eisbach_leader_epoch", {}, application.epoch),
        ("eisbach_store_failing", {}, 1.0 if application.applier.failure else 0.0),
        ("eisbach_queue_jobs", {}, facts["queued"]),
        ("eisbach_unfunded_jobs", {}, facts["unfunded"]),
    ]
    samples += [("eisbach_jobs", {"state": name}, count) for name, count in facts["jobs"].items()]
    samples += [("eisbach_jobs_total", {"outcome": name}, count) for name, count in facts["totals"].items()]
    for simulated, capacity in (("false", facts["capacity"]), ("true", facts["capacity_simulated"])):
        for name, (total, free) in capacity.items():
            labels = {"resource": name, "simulated": simulated}
            samples += [("eisbach_capacity", labels, total), ("eisbach_capacity_free", labels, free)]
    return samples


def loads(names: Sequence[str]) -> Callable[[FactoryState, int], dict[str, dict[str, Any]]]:
    """Return the question what of some nodes is free, how they are, and which attempts run there; by name."""

    def ask(state: FactoryState, now: int) -> dict[str, dict[str, Any]]:
        attempts, fleet = attempts_on(state), state.scheduler.fleet.nodes
        return {
            node.node: {
                "free_cpu_milli": node.free_cpu_milli,
                "free_memory_mib": node.free_memory_mib,
                "free_gpus": len(node.free_gpus),
                "allocated_permille": allocated_permille(node),
                "condition": condition_of(state.health, node).value,
                "attempts": attempts.get(node.node, []),
                "simulated": state.sites[node.site].is_simulated,
                **_health(state, node.node),
            }
            for node in (fleet[name] for name in names if name in fleet)
        }

    return ask


def _health(state: FactoryState, node: str) -> dict[str, Any]:
    health, closes_ms = state.health, state.scheduler.agenda.next_closing(node)
    mark, closure = health.marks.get(node), health.closed.get(node, "")
    if not closure and closes_ms is not None:
        closures = health.closures.values()
        closure = next((one.closure for one in closures if one.from_ms == closes_ms and node in one.nodes), "")
    return {
        "health": (mark.health if mark is not None else Health.HEALTHY).value,
        "health_cause": mark.cause.value if mark is not None else "",
        "health_since_ms": mark.since_ms if mark is not None else None,
        "closure": closure,
        "closes_ms": closes_ms,
        "is_there_from_ms": health.coming.get(node),
    }


def _facts(state: FactoryState, now: int) -> dict[str, Any]:
    scheduler = state.scheduler
    jobs = dict.fromkeys((one.value for one in JobState if one is not JobState.ENDED), 0)
    for job in scheduler.jobs.values():
        jobs[job.state.value] += 1
    return {
        "origin": state.origin,
        "log_size": state.next_seq,
        "now_ms": now,
        "jobs": jobs,
        "queued": len(scheduler.queue),
        "unfunded": sum(len(waiting) for waiting in scheduler.unfunded.values()),
        "totals": dict(state.totals),
        "capacity": _capacity(state, is_simulated=False),
        "capacity_simulated": _capacity(state, is_simulated=True),
        "sites": [facts_of(site) for site in state.sites.values()],
    }


def _capacity(state: FactoryState, *, is_simulated: bool) -> dict[str, tuple[int, int]]:
    """Return resource -> (what the nodes have, what of it is free), of real sites or of simulated ones."""
    nodes = [
        node
        for node in state.scheduler.fleet.nodes.values()
        if not node.removed and state.sites[node.site].is_simulated is is_simulated
    ]
    return {
        "cpu_milli": (sum(node.cpu_milli for node in nodes), sum(node.free_cpu_milli for node in nodes)),
        "memory_mib": (sum(node.memory_mib for node in nodes), sum(node.free_memory_mib for node in nodes)),
        "gpus": (sum(node.gpus for node in nodes), sum(len(node.free_gpus) for node in nodes)),
    }
