"""The placement rule of an organisation or a project is set, removed, shown and tried."""

from collections.abc import Callable, Iterator
from typing import Any

from eisbach.app.check_place import against, named, told
from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events_policy import RuleSet
from eisbach.app.places import all_places, rules_of_organisation, rules_of_project
from eisbach.app.state import FactoryState
from eisbach.core.jobs.placement import LIMITS, NO_RULE, PlacementRule, limits_of
from eisbach.core.policy.compile import Compiled, compile_rules
from eisbach.core.policy.rules import Contradiction, Scope, ScopedRule, contradictions
from eisbach.core.vocabulary.countries import in_words
from eisbach.core.vocabulary.reasons import Reason, Refusal

Json = dict[str, Any]


def command(actor: Actor, *, owner: str, rule: PlacementRule) -> Command:
    """Return the command that sets a rule; NO_RULE removes it.

    Refused where it has nothing in common with a rule above or below it: nothing could ever be placed.
    """

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        scope = scope_of(state, owner)
        if scope is None:
            return _absent(owner)
        refusal = _unknown_site(state, rule) or _contradiction(state, owner, ScopedRule(scope, owner, rule))
        if refusal is not None:
            return refusal
        known = state.policy.rules.get(owner)
        limits = limits_of(rule)
        reply = {"owner": owner, "scope": scope.value, "limits": _shown(rule)}
        if (known.limits if known is not None else ()) == limits:
            return Decision(reply={**reply, "position": known.position if known is not None else None, "changed": False})
        event = RuleSet(owner=owner, scope=scope.value, limits=limits, by=actor.token)
        return Decision(events=(event,), reply={**reply, "position": state.next_seq, "changed": True})

    return decide


def question(*, owner: str, placement: PlacementRule = NO_RULE) -> Callable[[FactoryState, int], Json | Refusal]:
    """Return the question which rules hold in an organisation or a project, and which sites they (and one more) leave."""

    def ask(state: FactoryState, now: int) -> Json | Refusal:
        scope = scope_of(state, owner)
        if scope is None:
            return _absent(owner)
        rules = _rules_of(state, owner)
        if placement != NO_RULE:
            rules = (*rules, ScopedRule(Scope.JOB, "", placement))
        compiled = compile_rules(rules, all_places(state), state.policy.version)
        own = state.policy.rules.get(owner)
        return {
            "owner": owner,
            "scope": scope.value,
            "own": {key: list(values) for key, values in own.limits} if own is not None else {},
            "rules": [rule_values(scoped) for scoped in rules],
            "dedicated": compiled.dedicated.value,
            "policy_version": state.policy.version,
            "sites": site_answers(state, compiled),
        }

    return ask


def scope_of(state: FactoryState, owner: str) -> Scope | None:
    """Return whose rule an id's would be, or None where nothing has this id."""
    if owner in state.organisations:
        return Scope.ORGANISATION
    return Scope.PROJECT if owner in state.projects else None


def rule_values(scoped: ScopedRule) -> Json:
    """Return a rule with its origin, as plain values and in words."""
    return {
        "scope": scoped.scope.value,
        "owner": scoped.name,
        "limits": _shown(scoped.rule),
        "text": rule_text(scoped.rule),
        "position": scoped.position if scoped.position >= 0 else None,
    }


def rule_text(rule: PlacementRule) -> str:
    """Return a rule in words, groups of countries by name."""
    said = [
        f"{key.replace('_', ' ')}: {', '.join(getattr(rule, key)) if key == 'sites' else in_words(getattr(rule, key))}"
        for key in LIMITS
        if getattr(rule, key)
    ]
    if rule.dedicated.value:
        said.append(f"nodes are shared with no other {rule.dedicated.value}")
    return "; ".join(said) or "no limit"


def site_answers(state: FactoryState, compiled: Compiled) -> list[Json]:
    """Return each site with its facts, whether it is allowed, and what rules have against it."""
    return [
        {
            "site": place.site,
            "country": place.country,
            "operator": place.operator,
            "operator_country": place.operator_country,
            "parent_country": place.parent_country,
            "simulated": place.is_simulated,
            "allowed": compiled.allows(place.site),
            "pools": sorted({node.pool for node in state.scheduler.fleet.nodes.values() if node.site == place.site}),
            "reasons": told(state, against(compiled, [place.site])),
            "findings": named(state, against(compiled, [place.site])),
        }
        for place in sorted(all_places(state), key=lambda place: place.site)
    ]


def _shown(rule: PlacementRule) -> Json:
    return {key: list(values) for key, values in limits_of(rule)}


def _rules_of(state: FactoryState, owner: str) -> tuple[ScopedRule, ...]:
    return rules_of_organisation(state, owner) if owner in state.organisations else rules_of_project(state, owner)


def _absent(owner: str) -> Refusal:
    what = f"There is no organisation or project {owner!r}"
    return Refusal(Reason.NOT_FOUND, what, "Look at `eisbach org list` and `eisbach project list`")


def _unknown_site(state: FactoryState, rule: PlacementRule) -> Refusal | None:
    absent = [site for site in rule.sites if site not in state.sites]
    if not absent:
        return None
    return Refusal(
        Reason.INVALID_ARGUMENT,
        f"There is no site {absent[0]!r}",
        f"Sites here: {', '.join(sorted(state.sites))}",
        "sites",
        {"absent": absent, "sites": sorted(state.sites)},
    )


def _contradiction(state: FactoryState, owner: str, new: ScopedRule) -> Refusal | None:
    """Return why a rule cannot be: with those above it, or with those of one below, it would allow nothing at all."""
    for chain in _chains(state, owner):
        found = contradictions([*(scoped for scoped in chain if scoped.name != owner), new])
        if found:
            return _refusal(found[0])
    return None


def _chains(state: FactoryState, owner: str) -> Iterator[tuple[ScopedRule, ...]]:
    """Yield the rules that hold at an owner, and at everything below it that has a rule of its own."""
    yield _rules_of(state, owner)
    for below in state.policy.rules:
        if owner in _above(state, below):
            yield _rules_of(state, below)


def _above(state: FactoryState, owner: str) -> list[str]:
    found: list[str] = []
    organisation = state.projects[owner].organisation if owner in state.projects else state.organisations[owner].parent
    while organisation is not None and organisation not in found:
        found.append(organisation)
        organisation = state.organisations[organisation].parent
    return found


def _refusal(found: Contradiction) -> Refusal:
    said = [
        f"{scoped.scope.value} {scoped.name} allows {', '.join(getattr(scoped.rule, found.key))}" for scoped in found.rules
    ]
    return Refusal(
        Reason.INVALID_ARGUMENT,
        f"Rules for {found.key} would have nothing in common: {'; '.join(said)}. Nothing could ever be placed",
        "Allow something that the other rules allow too, or change those first",
        found.key,
        {
            "key": found.key,
            "rules": [
                {"scope": scoped.scope.value, "name": scoped.name, "allowed": list(getattr(scoped.rule, found.key))}
                for scoped in found.rules
            ],
        },
    )
