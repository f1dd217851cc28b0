"""What a task would cost and when it would start, before anything starts."""

from collections.abc import Callable
from typing import Any

from eisbach.app import fold_shares
from eisbach.app.check_place import Forbidden, named, refused, told
from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.create_project import figures
from eisbach.app.find_data import data_sets_of
from eisbach.app.list_sites import facts_of
from eisbach.app.places import compiled_for, where_for
from eisbach.app.state import FactoryState
from eisbach.app.submit_job import Priced, most, over_budget, price_in_project
from eisbach.core.admission.outlook import outlook
from eisbach.core.admission.state import ActiveJob
from eisbach.core.capacity.fleet import Fleet
from eisbach.core.capacity.inventory import is_flavour
from eisbach.core.capacity.where import Where
from eisbach.core.jobs.request import JobSpec, NodeShape
from eisbach.core.policy.compile import Compiled
from eisbach.core.vocabulary.reasons import Reason, Refusal


def question(*, project: str, spec: JobSpec, by: str) -> Callable[[FactoryState, int], dict[str, Any] | Refusal]:
    """Return the question what a task would cost, where and when it would run, and whether the budget covers it.

    `by` is the token of who asks: how long his last jobs ran says where this one would stand, and how long it will run.
    """

    def ask(state: FactoryState, now: int) -> dict[str, Any] | Refusal:
        if project not in state.projects:
            return Refusal(Reason.NOT_FOUND, f"There is no project {project!r}", "Look at `eisbach project list`")
        priced = price_in_project(state, project, spec, now)
        if isinstance(priced, Forbidden):
            return priced.refusal
        if isinstance(priced, Refusal):
            return priced
        cap = most(priced, spec)
        if cap > state.projects[project].budget:
            return over_budget(state.projects[project], cap)
        fleet = state.scheduler.fleet
        chosen = (project, spec.placement, data_sets_of(spec))
        where, compiled = where_for(state, *chosen), compiled_for(state, *chosen)
        shapes, within = priced.shapes, spec.within
        index = next((i for i, one in enumerate(shapes) if fleet.place(one, spec.nodes, where, within=within) is not None), 0)
        shape = shapes[index]
        predicted_ms = fold_shares.predicted_ms(state, project, by, spec.nodes, spec.time_limit_ms)
        job = _as_submitted(state, project, spec, priced, where, predicted_ms, now)
        start = outlook(state.scheduler, job, now)
        money = figures(state, project, now)
        is_funded = cap <= int(money["available"]) and project not in state.scheduler.unfunded
        sites = _sites(fleet, where, shape)
        return {
            "name": spec.name,
            "project": project,
            "nodes": spec.nodes,
            "flavour": shape.flavour or "cpu",
            "cpu_milli": shape.cpu_milli,
            "memory_mib": shape.memory_mib,
            "gpus": shape.gpus,
            "price_per_hour": priced.prices[index],
            "cap": cap,
            "limit_ms": spec.time_limit_ms,
            "grace_ms": spec.checkpoint.grace_ms,
            "predicted_ms": predicted_ms,
            "tariff": priced.tariff,
            "tariff_label": tariff.label if (tariff := state.prices.at(now)) is not None else "",
            "starts_at_once": start.starts_at_once and is_funded,
            "start_estimated_ms": now if start.starts_at_once else start.estimated_ms,
            "start_promised_ms": start.promised_ms,
            "waits_for": "" if is_funded else Reason.BUDGET_RESERVED.value,
            "queued_before": len(state.scheduler.queue),
            "places": [facts_of(state.sites[site]) for site in sites if site in state.sites],
            "forbidden_places": _forbidden(state, compiled),
            "dedicated": compiled.dedicated.value,
            "policy_version": compiled.version,
            "budget": money,
        }

    return ask


def refuse(actor: Actor, *, project: str, spec: JobSpec) -> Command:
    """Return the command that puts the refusal of a place, which a quote has found, into the log and answers with it."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        priced = price_in_project(state, project, spec, context.now) if project in state.projects else None
        if not isinstance(priced, Forbidden):
            return Decision()  # a rule has changed meanwhile
        return refused(state, actor, priced.refusal, priced.findings, project=project)

    return decide


def _forbidden(state: FactoryState, compiled: Compiled) -> list[dict[str, Any]]:
    """Return the places that rules forbid, each with what they have against it."""
    return [
        {
            "site": site,
            "country": state.sites[site].country,
            "operator": state.sites[site].operator,
            "simulated": state.sites[site].is_simulated,
            "reasons": told(state, found),
            "findings": named(state, found),
        }
        for site, found in compiled.forbidden.items()
    ]


def _as_submitted(
    state: FactoryState, project: str, spec: JobSpec, priced: Priced, where: Where, predicted_ms: int, now: int
) -> ActiveJob:
    """Return the job as the scheduler would know it if it were submitted now."""
    return ActiveJob(
        job="",
        project=project,
        seq=state.next_seq,
        submitted_ms=now,
        nodes=spec.nodes,
        shapes=priced.shapes,
        capacity_class=spec.capacity_class,
        limit_ms=spec.time_limit_ms,
        grace_ms=spec.checkpoint.grace_ms,
        attempts_max=spec.retry.max_attempts,
        is_funded=True,
        placement=spec.placement,
        where=where,
        within=spec.within,
        predicted_ms=predicted_ms,
        booking=spec.booking,
    )


def _sites(fleet: Fleet, where: Where, shape: NodeShape) -> list[str]:
    """Return the sites with nodes of this shape where the rules let the job be."""
    return sorted(
        {
            node.site
            for node in fleet.nodes.values()
            if not node.removed and where.allows(node) and (shape.flavour is None or is_flavour(node.flavour, shape.flavour))
        }
    )
