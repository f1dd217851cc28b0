"""Which places the rules leave to a job, a data set or the factory's own files: compiled once per set of rules and version."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from eisbach.app.state import FactoryState
from eisbach.core.capacity.where import ANYWHERE, Where
from eisbach.core.jobs.placement import NO_RULE, Dedicated, PlacementRule, rule_of
from eisbach.core.policy.compile import Compiled, compile_rules
from eisbach.core.policy.rules import Place, Scope, ScopedRule

COMPILED_MAX: Final = 4_096
"""Different sets of rules whose places are remembered in one version of the policy."""


def all_places(state: FactoryState) -> list[Place]:
    """Return every site as rules see it."""
    return [
        Place(
            site=site.site,
            country=site.country,
            operator_country=site.operator_country,
            parent_country=site.parent_country,
            operator=site.operator,
            is_simulated=site.is_simulated,
        )
        for site in state.sites.values()
    ]


def rules_of_organisation(state: FactoryState, organisation: str | None) -> tuple[ScopedRule, ...]:
    """Return the rules of an organisation and of all above it, the topmost first."""
    found: list[ScopedRule] = []
    while organisation is not None and (known := state.organisations.get(organisation)) is not None:
        found += _owned(state, organisation)
        organisation = known.parent
    return tuple(reversed(found))


def rules_of_project(state: FactoryState, project: str) -> tuple[ScopedRule, ...]:
    """Return the rules that hold for everything in a project."""
    return (*rules_of_organisation(state, state.projects[project].organisation), *_owned(state, project))


def rules_of_data_set(state: FactoryState, data_set: str) -> tuple[ScopedRule, ...]:
    """Return the rules that hold for a data set: its organisations', its project's and its own."""
    known = state.data.sets.get(data_set)
    return (*rules_of_project(state, known.project), *_of_data(state, (data_set,))) if known is not None else ()


def rules_of_job(
    state: FactoryState,
    project: str,
    placement: PlacementRule,
    job: str = "",
    position: int = -1,
    data: tuple[str, ...] = (),
) -> tuple[ScopedRule, ...]:
    """Return the rules that hold for a job: its organisations', its project's, those of the data it reads, and its own."""
    rules = (*rules_of_project(state, project), *_of_data(state, data))
    return rules if placement is NO_RULE or placement == NO_RULE else (*rules, ScopedRule(Scope.JOB, job, placement, position))


def rules_of_all(state: FactoryState) -> tuple[ScopedRule, ...]:
    """Return the rules of all organisations and projects: what holds for files that have everybody's data in them.

    A list of sites says where work may be, and is no part of it: countries and operators are.
    """
    return tuple(
        scoped._replace(rule=replace(scoped.rule, sites=())) for owner in state.policy.rules for scoped in _owned(state, owner)
    )


def own_site(state: FactoryState) -> str:
    """Return the site where the factory's own files are: the first one that its site file ever named."""
    return next(iter(state.sites), "")


def compiled_for(
    state: FactoryState, project: str, placement: PlacementRule = NO_RULE, data: tuple[str, ...] = ()
) -> Compiled:
    """Return what the rules leave to work in a project; remembered until a rule or a site changes (a data set's never do)."""
    question: object = project if placement is NO_RULE and not data else (project, placement, data)
    known: Compiled | None = state.compiled.get(question)
    if known is None:
        known = compile_rules(rules_of_job(state, project, placement, data=data), all_places(state), state.policy.version)
        if len(state.compiled) >= COMPILED_MAX:
            state.compiled.clear()
        state.compiled[question] = known
    return known


def compiled_for_all(state: FactoryState) -> Compiled:
    """Return what the rules of all organisations and projects leave."""
    return compile_rules(rules_of_all(state), all_places(state), state.policy.version)


def compiled_for_data_set(state: FactoryState, data_set: str) -> Compiled:
    """Return where a data set may lie."""
    return compile_rules(rules_of_data_set(state, data_set), all_places(state), state.policy.version)


def where_for(
    state: FactoryState, project: str, placement: PlacementRule = NO_RULE, data: tuple[str, ...] = ()
) -> Where:
    """Return where the scheduler may place a job of a project: at a simulated site only where the rules leave no real one."""
    question = ("where", project) if placement is NO_RULE and not data else ("where", project, placement, data)
    known: Where | None = state.compiled.get(question)
    if known is None:
        known = _where(state, project, compiled_for(state, project, placement, data))
        state.compiled[question] = known
    return known


def _where(state: FactoryState, project: str, compiled: Compiled) -> Where:
    sites = _real_first(state, compiled.sites)
    match compiled.dedicated:
        case Dedicated.NO:
            return ANYWHERE if sites is None else Where(sites)
        case Dedicated.PROJECT:
            return Where(sites, project)
        case Dedicated.ORGANISATION:
            return Where(sites, state.projects[project].organisation)


def _real_first(state: FactoryState, allowed: frozenset[str] | None) -> frozenset[str] | None:
    """Return the real ones of the allowed sites, all of them where none is real: nobody's work is simulated unasked."""
    among = state.sites.keys() if allowed is None else allowed
    real = frozenset(site for site in among if not state.sites[site].is_simulated)
    return allowed if not real or len(real) == len(among) else real


def compile_again(state: FactoryState, position: int) -> None:
    """A rule or the facts of a site have changed: this is a new version, and every job is where it may be from now on."""
    state.policy.version = position
    state.compiled.clear()
    state.kinds.clear()
    state.terms.clear()
    for job in state.scheduler.jobs.values():
        where = where_for(state, job.project, job.placement, state.data.used_by.get(job.job, ()))
        if where != job.where:
            state.scheduler.move(job, where)


def _of_data(state: FactoryState, data: tuple[str, ...]) -> Iterable[ScopedRule]:
    for data_set in data:
        known = state.data.sets.get(data_set)
        if known is not None and known.countries:
            yield ScopedRule(Scope.DATA_SET, data_set, PlacementRule(countries=known.countries), known.position)


def _owned(state: FactoryState, owner: str) -> Iterable[ScopedRule]:
    known = state.policy.rules.get(owner)
    if known is None:
        return ()
    return (ScopedRule(Scope(known.scope), owner, rule_of(known.limits), known.position),)
