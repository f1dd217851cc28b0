"""From rules to places: which sites, and so which pools, a set of rules leaves, and what it has against each other one.

A pool stands at one site and every fact that a rule speaks of is a fact of a site, so the allowed pools are the pools of
the allowed sites (docs/decisions/0010).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from eisbach.core.jobs.placement import LIMITS, Dedicated
from eisbach.core.policy.rules import Finding, Place, ScopedRule, dedication, findings_of


class Compiled(NamedTuple):
    """What a set of rules leaves of the places there are, in one version of the policy.

    `sites` is None where no rule sets a limit: every place, also one that is added later. `forbidden` has a site only
    with its findings, in the order of sites.
    """

    version: int
    rules: tuple[ScopedRule, ...]
    sites: frozenset[str] | None
    forbidden: Mapping[str, tuple[Finding, ...]]
    dedicated: Dedicated

    @property
    def is_nowhere(self) -> bool:
        """Return whether no place is left."""
        return self.sites is not None and not self.sites

    def allows(self, site: str) -> bool:
        """Return whether a site is left."""
        return self.sites is None or site in self.sites


def compile_rules(rules: Sequence[ScopedRule], places: Iterable[Place], version: int) -> Compiled:
    """Return what rules leave of places. More rules never leave more; their order changes nothing that is allowed."""
    limiting = [scoped for scoped in rules if any(getattr(scoped.rule, key) for key in LIMITS)]
    sites: frozenset[str] | None = None
    forbidden: dict[str, tuple[Finding, ...]] = {}
    if limiting:
        known = sorted(places, key=lambda place: place.site)
        judged = {place.site: findings_of(limiting, place) for place in known}
        forbidden = {site: findings for site, findings in judged.items() if findings}
        sites = frozenset(judged) - frozenset(forbidden)
    return Compiled(version, tuple(rules), sites, forbidden, dedication(rules))
