"""A job is submitted: priced, capped, and funded at once where the budget allows."""

from dataclasses import replace
from typing import Final, NamedTuple

import msgspec

from eisbach.app import money
from eisbach.app.check_place import Forbidden, forbidden_job, refused, unknown_site
from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events import JobSubmitted, PartTuple, ShapeTuple
from eisbach.app.find_data import data_sets_of, missing_data
from eisbach.app.places import compiled_for, where_for
from eisbach.app.run_in_booking import shapes_inside
from eisbach.app.set_shares import price_permille
from eisbach.app.state import FactoryState, Project
from eisbach.app.state_shares import FULL_PRICE
from eisbach.app.texts import commit_where_kept
from eisbach.core.billing.charge import cap_of
from eisbach.core.billing.tariff import Tariff
from eisbach.core.capacity.resolve import resolve_shapes
from eisbach.core.capacity.where import ANYWHERE, Where
from eisbach.core.jobs.frozen_spec import spec_to_mapping
from eisbach.core.jobs.placement import NO_RULE, limits_of
from eisbach.core.jobs.request import WHOLE, CapacityClass, JobSpec, NodeShape
from eisbach.core.jobs.within import Level
from eisbach.core.vocabulary.money import euro_text
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.store import Text

_CLASSES: Final = {one: one.value for one in CapacityClass}
_LEVELS: Final = {one: one.value for one in Level}
_BUDGET_RESERVED: Final = Reason.BUDGET_RESERVED.value
PRICED_MAX: Final = 4_096
"""Different requests whose price is remembered; many users submit the same again and again."""


class Priced(NamedTuple):
    """What an hour of a task costs here, whatever its limit: shapes this fleet has, their prices in micro-euro, the dearest of
    these, by which tariff, and the shapes as the log tells them, with their parts of GPUs where they take parts."""

    shapes: tuple[NodeShape, ...]
    prices: tuple[int, ...]
    dearest: int
    tariff: str
    told: tuple[ShapeTuple, ...]
    parts: tuple[PartTuple, ...]


def most(priced: Priced, spec: JobSpec) -> int:
    """Return the micro-euro that a task can cost at most: those of its dearest alternative over its limit and its grace."""
    return cap_of(priced.dearest, spec.time_limit_ms, spec.checkpoint.grace_ms)


def price_in_project(state: FactoryState, project: str, spec: JobSpec, now: int) -> Priced | Refusal | Forbidden:
    """Return the price of a task where the rules that hold in a project let it be, or why there is none.

    Inside a booking it costs nothing: that is paid already.
    """
    if spec.placement is not NO_RULE or spec.data or spec.booking:
        return _price_where_allowed(state, project, spec, now)
    tariff = state.prices.at(now)
    question = (project, tariff.version if tariff is not None else "", spec.shapes, spec.nodes, spec.within, spec.capacity_class)
    known: Priced | None = state.terms.get(question)
    if known is not None:
        return known
    priced = _price_where_allowed(state, project, spec, now)
    if isinstance(priced, Priced):
        if len(state.terms) >= PRICED_MAX:
            state.terms.clear()
        state.terms[question] = priced
    return priced


def _price_where_allowed(state: FactoryState, project: str, spec: JobSpec, now: int) -> Priced | Refusal | Forbidden:
    priced = _price_anywhere_allowed(state, project, spec, now)
    if not spec.booking or not isinstance(priced, Priced):
        return priced
    shapes = shapes_inside(state, project, spec, priced.shapes, now)
    return shapes if isinstance(shapes, Refusal) else Priced(shapes, (0,) * len(shapes), 0, priced.tariff, *_told(shapes))


def _price_anywhere_allowed(state: FactoryState, project: str, spec: JobSpec, now: int) -> Priced | Refusal | Forbidden:
    data = data_sets_of(spec) if spec.data else ()
    where = where_for(state, project, spec.placement, data)
    permille = price_permille(state, project)
    if where.sites is None:
        return price_job(state, spec, now, where, permille)
    compiled = compiled_for(state, project, spec.placement, data)
    refusal = unknown_site(state, spec.placement.sites, "placement.sites")
    if refusal is not None:
        return refusal
    if compiled.is_nowhere:
        return forbidden_job(state, compiled, spec.placement.sites)
    priced = price_job(state, spec, now, where, permille)
    if not isinstance(priced, Refusal) or isinstance(price_job(state, spec, now), Refusal):
        return priced
    if not isinstance(price_job(state, spec, now, Where(compiled.sites)), Refusal):
        return _only_simulated(state, spec, now)
    # What it needs exists, but only where it may not be.
    able = [site for site in compiled.forbidden if not isinstance(price_job(state, spec, now, Where(frozenset({site}))), Refusal)]
    return forbidden_job(state, compiled, spec.placement.sites, able)


def _only_simulated(state: FactoryState, spec: JobSpec, now: int) -> Refusal:
    simulated = [site.site for site in state.sites.values() if site.is_simulated]
    able = [site for site in simulated if not isinstance(price_job(state, spec, now, Where(frozenset({site}))), Refusal)]
    return Refusal(
        Reason.ONLY_SIMULATED,
        f"Only simulated sites have what the task asks for ({', '.join(able)}), and nothing is executed there",
        f"Ask for less; or, to see it simulated, write placement: {{sites: [{able[0]}]}}",
        "placement.sites",
        {"sites": able},
    )


def price_job(state: FactoryState, spec: JobSpec, now: int, where: Where = ANYWHERE, permille: int = FULL_PRICE) -> Priced | Refusal:
    """Return the price of a task for this fleet at an instant, or why there is none; `permille` is what of the list price an
    agreement leaves."""
    tariff = state.prices.at(now)
    version = tariff.version if tariff is not None else ""
    question = (version, spec.shapes, spec.nodes, spec.within, spec.capacity_class, where.sites, where.tenant, permille)
    known: Priced | Refusal | None = state.priced.get(question)
    if known is None:
        known = _price(state, spec, tariff, where, permille)
        if len(state.priced) >= PRICED_MAX:
            state.priced.clear()
        state.priced[question] = known
    return known


def _price(state: FactoryState, spec: JobSpec, tariff: Tariff | None, where: Where, permille: int) -> Priced | Refusal:
    slices_at = _cutting(state, where) if any(shape.mig for shape in spec.shapes) else where
    shapes = resolve_shapes(state.scheduler.fleet, spec.shapes, spec.nodes, where, spec.within, slices_at)
    if isinstance(shapes, Refusal):
        return shapes
    prices = [tariff.price(shape, spec.nodes, spec.capacity_class) for shape in shapes] if tariff is not None else []
    priced = [(shape, price * permille // FULL_PRICE) for shape, price in zip(shapes, prices, strict=False) if price is not None]
    if tariff is None or not priced:
        names = ", ".join(shape.flavour or "any" for shape in shapes)
        return Refusal(
            Reason.NO_PRICE, f"The price list has no price for {names}", "Ask the operator to add one", "resources"
        )
    shapes_here, prices_here = tuple(shape for shape, _ in priced), tuple(price for _, price in priced)
    return Priced(shapes_here, prices_here, max(prices_here), tariff.version, *_told(shapes_here))


def _cutting(state: FactoryState, where: Where) -> Where:
    """Return where GPUs are cut into slices (MIG): at simulated sites; the engine of this machine cuts none."""
    among = state.sites if where.sites is None else where.sites
    return replace(where, sites=frozenset(site for site in among if state.sites[site].is_simulated))


def over_budget(project: Project, cap: int) -> Refusal:
    """Return the refusal of a task whose ceiling is above the whole month's budget."""
    return Refusal(
        Reason.OVER_BUDGET,
        f"The job may cost up to {euro_text(cap)} EUR (price over time limit and grace), "
        f"and the project's budget is {euro_text(project.budget)} EUR a month",
        "Lower time_limit or the resources, or have the budget raised (`eisbach project set-budget`)",
        "time_limit",
        {"ceiling_micro_eur": cap, "budget_micro_eur": project.budget},
    )


def frozen_text(spec: JobSpec) -> str:
    """Return a specification as it is kept."""
    return msgspec.json.encode(spec_to_mapping(spec)).decode()


def command(actor: Actor, *, project: str, spec: JobSpec) -> Command:
    """Return the command that submits a job to a project."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        known = state.projects.get(project)
        if known is None:
            return Refusal(Reason.NOT_FOUND, f"There is no project {project!r}", "Look at `eisbach project list`")
        absent = missing_data(state, project, spec) if spec.data else None
        if absent is not None:
            return absent
        priced = price_in_project(state, project, spec, context.now)
        if not isinstance(priced, Priced):
            return refused(state, actor, priced.refusal, priced.findings, project=project) if isinstance(priced, Forbidden) else priced
        opened = money.open_period(state, project, context.now) if context.now >= known.until_ms else None
        if opened is not None:
            return Decision(events=(opened,), again=True)
        cap = most(priced, spec)
        return _accept(state, context, actor, known, spec, priced, cap) if cap <= known.budget else over_budget(known, cap)

    return decide


def _accept(
    state: FactoryState, context: Context, actor: Actor, known: Project, spec: JobSpec, priced: Priced, cap: int
) -> Decision:
    now, project, within = context.now, known.project, spec.within
    job = context.ids.new("job", now)
    transfers = money.reserve(state, known, cap) if project not in state.scheduler.unfunded else None
    is_funded = transfers is not None
    commitment, texts = commit_where_kept(context, job, "spec", frozen_text, spec)
    _, prices, _, tariff, told, parts = priced
    # All fields in their order: of more than fifteen names Python makes a dictionary, which costs more than the event.
    event = JobSubmitted(
        job, project, commitment, _CLASSES[spec.capacity_class], spec.nodes, told, prices, tariff,
        spec.time_limit_ms, spec.checkpoint.grace_ms, spec.retry.max_attempts, cap, is_funded, known.period, actor.token,
        data_sets_of(spec) if spec.data else (),
        limits_of(spec.placement) if spec.placement is not NO_RULE else (),
        parts,
        _LEVELS[within.level] if within is not None else "",
        within is not None and within.is_required,
        spec.booking,
        transfers or (),
    )  # fmt: skip
    reply = {
        "job": job,
        "name": spec.name,
        "project": project,
        "state": "waiting",
        "reason": "" if is_funded else _BUDGET_RESERVED,
        "cap": cap,
        "submitted_ms": now,
    }
    if context.keeps.texts:
        texts = (*texts, Text(f"{job}/name", b"", spec.name.encode()))
    return Decision((event,), texts, reply, status=202)


def _told(shapes: tuple[NodeShape, ...]) -> tuple[tuple[ShapeTuple, ...], tuple[PartTuple, ...]]:
    """Return shapes as the log tells them, and their parts of GPUs where they take parts."""
    parts = tuple((shape.gpu_milli, shape.mig) for shape in shapes)
    is_in_parts = any(shape.gpu_milli != WHOLE or shape.mig for shape in shapes)
    return tuple((one.cpu_milli, one.memory_mib, one.gpus, one.flavour) for one in shapes), parts if is_in_parts else ()
