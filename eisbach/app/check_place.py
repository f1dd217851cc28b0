"""What is refused because of where it would be: the refusal with rule, facts and, once it stands in the log, its position."""

from collections.abc import Iterable, Sequence

import msgspec

from eisbach.app.commands import Actor, Decision
from eisbach.app.events_policy import FindingTuple, PlacementRefused
from eisbach.app.state import FactoryState
from eisbach.core.policy.compile import Compiled
from eisbach.core.policy.rules import Finding, finding_values
from eisbach.core.vocabulary.countries import UNKNOWN_COUNTRY, in_words
from eisbach.core.vocabulary.reasons import Reason, Refusal

_FACT_WORDS = {
    "country": "{site} stands in {value}",
    "operator_country": "the operator of {site} has its seat in {value}",
    "parent_country": "the ultimate parent of the operator of {site} sits in {value}",
    "site": "{site} is another site",
}
_SCOPE_WORDS = {
    "organisation": "the organisation {name}",
    "project": "the project {name}",
    "data_set": "the data set {name}",
    "job": "the job itself",
}
_OBJECTS = {"job": "The job", "copy": "The copy", "log": "The log", "backup": "The backup"}


def finding_text(finding: Finding, owner: str = "") -> str:
    """Return a finding as an English sentence without its full stop; `owner` is the name of whose rule it is, where it is known."""
    value = "a country that nobody has named (ZZ)" if finding.value == UNKNOWN_COUNTRY else finding.value
    fact = _FACT_WORDS[finding.fact].format(site=finding.site, value=value)
    scope = _SCOPE_WORDS[finding.scope.value].format(name=owner or finding.name)
    allowed = ", ".join(finding.allowed) if finding.fact == "site" else in_words(finding.allowed)
    where = f" (log position {finding.position})" if finding.position >= 0 else ""
    return f"{fact}; {scope} allows {allowed}{where}"


def told(state: FactoryState, findings: Iterable[Finding]) -> list[str]:
    """Return findings as English sentences, with the names of whose rules they are."""
    return [finding_text(one, owner_name(state, one.name)) for one in findings]


def refusal_of(
    state: FactoryState, what: str, asked: Sequence[str], findings: Iterable[Finding], where: str = "placement"
) -> Refusal:
    """Return the refusal of a place. `what` is `job`, `copy`, `log` or `backup`; `asked` the sites that were asked for."""
    found = tuple(findings)
    at = f" at {', '.join(asked)}" if asked else " at any site of this factory"
    return Refusal(
        Reason.RESIDENCY_FORBIDDEN,
        f"{_OBJECTS[what]} may not be{at}. " + ". ".join(_capital(one) for one in told(state, found)),
        "Choose a place that the rules allow, or have whoever owns the rule change it (`eisbach policy show`)",
        where,
        {
            "what": what,
            "asked": list(asked),
            "findings": named(state, found),
            "policy_version": state.policy.version,
        },
    )


def named(state: FactoryState, findings: Iterable[Finding]) -> list[dict[str, object]]:
    """Return findings as plain values with the names of whose rules they are: for people, never for the log."""
    return [{**finding_values(one), "owner_name": owner_name(state, one.name)} for one in findings]


def _capital(text: str) -> str:
    """Names of sites are written as their operator wrote them."""
    return text[0].upper() + text[1:] if text.startswith("the ") else text


def owner_name(state: FactoryState, owner: str) -> str:
    """Return the name of an organisation or a project, empty for everything else and where it was erased."""
    known = state.organisations.get(owner) or state.projects.get(owner)
    return known.name if known is not None else ""


def as_tuples(findings: Iterable[Finding]) -> tuple[FindingTuple, ...]:
    """Return findings as they stand in the log."""
    return tuple(
        (one.site, one.fact, one.value, one.allowed, one.scope.value, one.name, one.position) for one in findings
    )


def refused(
    state: FactoryState, actor: Actor, refusal: Refusal, findings: Iterable[Finding], *, project: str = "", organisation: str = ""
) -> Decision:
    """Return the decision that puts a refusal of a place into the log and answers with it."""
    owner = state.projects[project].organisation if project in state.projects else organisation
    event = PlacementRefused(
        what=str(refusal.values["what"]),
        project=project,
        organisation=owner,
        asked=tuple(str(site) for site in refusal.values["asked"]),  # type: ignore[attr-defined]
        findings=as_tuples(findings),
        policy_version=state.policy.version,
        by=actor.token,
    )
    return Decision(events=(event,), refusal=refusal)


def against(compiled: Compiled, sites: Iterable[str] = ()) -> tuple[Finding, ...]:
    """Return what rules have against the sites that were asked for, or against every place where none was."""
    asked = tuple(sites)
    return tuple(one for site, found in compiled.forbidden.items() if not asked or site in asked for one in found)


class Forbidden(msgspec.Struct, frozen=True):
    """A refusal of a place that has not been put into the log yet, with the findings behind it."""

    refusal: Refusal
    findings: tuple[Finding, ...]


def unknown_site(state: FactoryState, sites: Iterable[str], where: str) -> Refusal | None:
    """Return the refusal of the first site that this factory does not have, or None."""
    absent = next((site for site in sites if site not in state.sites), None)
    if absent is None:
        return None
    known = ", ".join(sorted(state.sites))
    return Refusal(
        Reason.INVALID_ARGUMENT, f"There is no site {absent!r}", f"Sites here: {known}", where, {"site": absent, "sites": sorted(state.sites)}
    )


def forbidden_job(state: FactoryState, compiled: Compiled, asked: Sequence[str], able: Sequence[str] = ()) -> Forbidden:
    """Return the refusal of a job for which no place is left: of the sites it asked for, else of those `able` to run it."""
    findings = against(compiled, asked or able) or against(compiled)
    return Forbidden(refusal_of(state, "job", asked, findings), findings)
