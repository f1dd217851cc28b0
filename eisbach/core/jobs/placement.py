"""A placement rule: what somebody demands of the places where work and data may be. Data, nothing else."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

LimitTuple = tuple[str, tuple[str, ...]]
"""a key of a rule and what it allows: the form in which rules stand in the log"""


class Dedicated(Enum):
    """With whom a node is never shared while the work is on it: with no other project, with no other organisation."""

    NO = ""
    ORGANISATION = "organisation"
    PROJECT = "project"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementRule:
    """What is allowed. An empty tuple sets no limit; countries are codes of ISO 3166-1, groups already expanded.

    `countries` are those of the site, `operator_countries` those of its operator's seat, `parent_countries` those of the
    operator's ultimate parent, `sites` are names.
    """

    countries: tuple[str, ...] = ()
    operator_countries: tuple[str, ...] = ()
    parent_countries: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    dedicated: Dedicated = Dedicated.NO


LIMITS: Final = ("countries", "operator_countries", "parent_countries", "sites")
"""The keys of a rule that list what is allowed."""
NO_RULE: Final = PlacementRule()


def limits_of(rule: PlacementRule) -> tuple[LimitTuple, ...]:
    """Return a rule as it stands in the log: its keys with what they allow, nothing for those that set no limit."""
    if rule is NO_RULE:
        return ()
    limits = tuple((key, getattr(rule, key)) for key in LIMITS if getattr(rule, key))
    return (*limits, ("dedicated", (rule.dedicated.value,))) if rule.dedicated is not Dedicated.NO else limits


def rule_of(limits: tuple[LimitTuple, ...]) -> PlacementRule:
    """Return the rule that `limits_of` wrote."""
    if not limits:
        return NO_RULE
    said = dict(limits)
    (dedicated,) = said.pop("dedicated", ("",))
    return PlacementRule(**{key: tuple(values) for key, values in said.items()}, dedicated=Dedicated(dedicated))
