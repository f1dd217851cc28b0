"""What a task would cost and when it would start, before anything starts."""

from collections.abc import Callable
from typing import Any

from eisbach.app.create_project import figures
from eisbach.app.state import FactoryState
from eisbach.app.submit_job import over_budget, price_job
from eisbach.core.capacity.inventory import is_flavour
from eisbach.core.jobs.request import JobSpec
from eisbach.core.scheduling.backfill import find_shadow
from eisbach.core.vocabulary.reasons import Reason, Refusal


def question(*, project: str, spec: JobSpec) -> Callable[[FactoryState, int], dict[str, Any] | Refusal]:
    """Return the question what a task would cost, where and when it would run, and whether the budget covers it."""

    def ask(state: FactoryState, now: int) -> dict[str, Any] | Refusal:
        if project not in state.projects:
            return Refusal(Reason.NOT_FOUND, f"There is no project {project!r}", "Look at `eisbach project list`")
        priced = price_job(state, spec)
        if isinstance(priced, Refusal):
            return priced
        refusal = over_budget(state, project, priced.cap)
        if refusal is not None:
            return refusal
        fleet = state.scheduler.fleet
        index = next((i for i, one in enumerate(priced.shapes) if fleet.place(one, spec.nodes) is not None), 0)
        shape = priced.shapes[index]
        is_free = fleet.place(shape, spec.nodes) is not None and not len(state.scheduler.queue)
        releases = [(job.releases_ms, job.shares) for job in state.scheduler.holding.values()]
        shadow = None if is_free else find_shadow(fleet, priced.shapes, spec.nodes, releases, now)
        money = figures(state, project, now)
        is_funded = priced.cap <= int(money["available"]) and project not in state.scheduler.unfunded
        sites = sorted(
            {
                node.site
                for node in fleet.nodes.values()
                if not node.removed and (shape.flavour is None or is_flavour(node.flavour, shape.flavour))
            }
        )
        return {
            "name": spec.name,
            "project": project,
            "nodes": spec.nodes,
            "flavour": shape.flavour or "cpu",
            "cpu_milli": shape.cpu_milli,
            "memory_mib": shape.memory_mib,
            "gpus": shape.gpus,
            "price_per_hour": priced.prices[index],
            "cap": priced.cap,
            "limit_ms": spec.time_limit_ms,
            "grace_ms": spec.checkpoint.grace_ms,
            "tariff": priced.tariff,
            "tariff_label": state.tariff.label if state.tariff is not None else "",
            "starts_at_once": is_free and is_funded,
            "start_estimated_ms": now if is_free else (shadow.at_ms if shadow is not None else None),
            "waits_for": "" if is_funded else Reason.BUDGET_RESERVED.value,
            "queued_before": len(state.scheduler.queue),
            "places": [
                {"site": site, "country": state.sites[site].country, "operator": state.sites[site].operator}
                for site in sites
                if site in state.sites
            ],
            "budget": money,
        }

    return ask
