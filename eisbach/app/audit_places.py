"""The auditor round: where everything is, against the rules, evaluated from scratch; what is where it may not be is a violation.

It looks at facts and rules alone, never at what was compiled for the scheduler, so that a mistake there is found here.
A running attempt in violation is stopped with its grace and tried elsewhere at our cost (docs/decisions/0010).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eisbach.app.check_place import as_tuples
from eisbach.app.commands import SYSTEM, Context, Decision
from eisbach.app.event_body import Body
from eisbach.app.events import JobStopping
from eisbach.app.events_policy import ViolationEnded, ViolationFound
from eisbach.app.places import all_places, own_site, rules_of_all, rules_of_data_set, rules_of_job
from eisbach.app.state import FactoryState
from eisbach.core.admission.state import ActiveJob
from eisbach.core.jobs.lifecycle import StopCause
from eisbach.core.policy.rules import Finding, Place, ScopedRule, findings_of
from eisbach.core.vocabulary.countries import UNKNOWN_COUNTRY
from eisbach.core.vocabulary.reasons import Refusal

if TYPE_CHECKING:
    from eisbach.app.application import Application


@dataclass(frozen=True, slots=True)
class Breach:
    """Something at a site that rules forbid."""

    what: str
    subject: str
    site: str
    findings: tuple[Finding, ...]
    job: str = ""
    project: str = ""

    @property
    def key(self) -> str:
        """Return what it is known by as long as it lasts."""
        return f"{self.what} {self.subject} {self.site}"


def audit_places(application: "Application") -> int:
    """Record violations that are new or over, and stop attempts in violation; return how many events that took."""
    answer = application.perform(_decide).result()
    return 0 if isinstance(answer, Refusal) else int(answer["events"])


def breaches(state: FactoryState) -> Iterator[Breach]:
    """Yield everything that is where rules forbid it now."""
    places = {place.site: place for place in all_places(state)}
    for job in state.scheduler.holding.values():
        yield from _of_attempt(state, job, places)
    for one in state.data.sets.values():
        for site in (*one.places, *one.copying):
            if findings := _findings(rules_of_data_set(state, one.data_set), site, places):
                yield Breach("copy", one.data_set, site, findings, project=one.project)
    everybody = rules_of_all(state)
    # The factory's own log is where the factory is, whether or not anybody ever exported it.
    for key in dict.fromkeys([f"log {own_site(state)}", *state.policy.targets]):
        use, _, site = key.partition(" ")
        if findings := _findings(everybody, site, places):
            yield Breach(use, key, site, findings)


def _of_attempt(state: FactoryState, job: ActiveJob, places: dict[str, Place]) -> Iterator[Breach]:
    data = state.data.used_by.get(job.job, ())
    rules = rules_of_job(state, job.project, job.placement, job.job, job.seq, data)
    if not rules:
        return
    for site in sorted({state.scheduler.fleet.nodes[share.node].site for share in job.shares}):
        if findings := _findings(rules, site, places):
            yield Breach("attempt", str(job.attempt), site, findings, job.job, job.project)


def _findings(rules: tuple[ScopedRule, ...], site: str, places: dict[str, Place]) -> tuple[Finding, ...]:
    unknown = Place(site, UNKNOWN_COUNTRY, UNKNOWN_COUNTRY, UNKNOWN_COUNTRY)
    return findings_of(rules, places.get(site, unknown))


def _decide(state: FactoryState, context: Context) -> Decision | Refusal:
    now = {breach.key: breach for breach in breaches(state)}
    events: list[Body] = [
        _found(state, context, breach) for key, breach in now.items() if key not in state.policy.violations
    ]
    for key, known in state.policy.violations.items():
        if key not in now:
            kept = (*state.policy.targets, f"log {own_site(state)}")
            is_there = known.subject in state.scheduler.holding or known.subject in kept or _is_held(state, known.subject, known.site)
            how = "allowed" if is_there else "gone"
            events.append(ViolationEnded(violation=known.violation, job=known.job, how=how))
    events += [stop for breach in now.values() for stop in _stop(state, breach, context.now)]
    return Decision(events=tuple(events), reply={"events": len(events)})


def _found(state: FactoryState, context: Context, breach: Breach) -> ViolationFound:
    return ViolationFound(
        violation=context.ids.new("vio", context.now),
        what=breach.what,
        subject=breach.subject,
        job=breach.job,
        project=breach.project,
        organisation=state.projects[breach.project].organisation if breach.project else "",
        site=breach.site,
        findings=as_tuples(breach.findings),
        policy_version=state.policy.version,
    )


def _is_held(state: FactoryState, data_set: str, site: str) -> bool:
    known = state.data.sets.get(data_set)
    return known is not None and site in (*known.places, *known.copying)


def _stop(state: FactoryState, breach: Breach, now: int) -> Iterator[JobStopping]:
    job = state.scheduler.jobs.get(breach.job)
    if job is None or job.is_asked(now):
        return
    yield JobStopping(
        job=job.job,
        attempt=str(job.attempt),
        cause=StopCause.PLACEMENT.value,
        grace_ms=job.grace_ms,
        by=SYSTEM.token,
    )
