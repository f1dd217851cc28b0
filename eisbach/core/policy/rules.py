"""Rules about places: whose they are, and what a place has against them. The most restrictive wins: all must be satisfied."""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from eisbach.core.jobs.placement import LIMITS, Dedicated, PlacementRule
from eisbach.core.vocabulary.countries import UNKNOWN_COUNTRY


class Scope(Enum):
    """Whose rule it is."""

    ORGANISATION = "organisation"
    PROJECT = "project"
    DATA_SET = "data_set"
    JOB = "job"


FACT_OF = {
    "countries": "country",
    "operator_countries": "operator_country",
    "parent_countries": "parent_country",
    "sites": "site",
}
"""key of a rule -> the fact of a place that it speaks about"""


class Place(NamedTuple):
    """A place as rules see it: a site and the facts about it, simulated or not. ZZ is a country nobody has named."""

    site: str
    country: str
    operator_country: str
    parent_country: str
    operator: str = ""
    is_simulated: bool = False


class ScopedRule(NamedTuple):
    """A rule with its origin: `name` is the id of the organisation, project, data set or job; `position` its event's place in the log (-1: none)."""

    scope: Scope
    name: str
    rule: PlacementRule
    position: int = -1


class Finding(NamedTuple):
    """Why a place is forbidden: one fact of it, with its value, is not among what one rule allows."""

    site: str
    fact: str
    value: str
    allowed: tuple[str, ...]
    scope: Scope
    name: str
    position: int


class Contradiction(NamedTuple):
    """Limits of the same key that have nothing in common, each with the rule that sets it: no place can satisfy them."""

    key: str
    rules: tuple[ScopedRule, ...]


def findings_of(rules: Iterable[ScopedRule], place: Place) -> tuple[Finding, ...]:
    """Return everything that rules have against a place, in the order of the rules; nothing where it is allowed."""
    found: list[Finding] = []
    for scoped in rules:
        for key in LIMITS:
            allowed: tuple[str, ...] = getattr(scoped.rule, key)
            value: str = getattr(place, FACT_OF[key])
            if allowed and (value not in allowed or (key != "sites" and value == UNKNOWN_COUNTRY)):
                found.append(
                    Finding(place.site, FACT_OF[key], value, allowed, scoped.scope, scoped.name, scoped.position)
                )
    return tuple(found)


def contradictions(rules: Sequence[ScopedRule]) -> tuple[Contradiction, ...]:
    """Return the keys on which rules have nothing in common, whatever places there are."""
    found: list[Contradiction] = []
    for key in LIMITS:
        setting = tuple(scoped for scoped in rules if getattr(scoped.rule, key))
        if setting and not set.intersection(*(set(getattr(scoped.rule, key)) for scoped in setting)):
            found.append(Contradiction(key, setting))
    return tuple(found)


def dedication(rules: Iterable[ScopedRule]) -> Dedicated:
    """Return the strictest demand for dedicated nodes among rules."""
    order = (Dedicated.NO, Dedicated.ORGANISATION, Dedicated.PROJECT)
    return max((scoped.rule.dedicated for scoped in rules), key=order.index, default=Dedicated.NO)


def finding_values(finding: Finding) -> Mapping[str, object]:
    """Return a finding as plain values: for refusals, rows, the log, and sentences in any language."""
    return {
        "site": finding.site,
        "fact": finding.fact,
        "value": finding.value,
        "allowed": list(finding.allowed),
        "scope": finding.scope.value,
        "name": finding.name,
        "position": finding.position,
    }
