"""Where a job was and where its data, logs and backups are: as a statement, and as a bundle that proves it to outsiders."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from eisbach.app.as_told import kind_told
from eisbach.app.check_place import finding_text
from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.event_codec import open_event
from eisbach.app.events_exit import RecordImported
from eisbach.app.events_policy import ResidencyStated
from eisbach.app.prove_log import bundle_of, events_about
from eisbach.app.residency_words import LIMITS_OF_PROOF, words
from eisbach.app.set_rules import rule_values
from eisbach.app.state import FactoryState
from eisbach.core.log.event import SealedEvent
from eisbach.core.policy.residency import (
    DATA_KINDS,
    NODE_KINDS,
    SITE_KINDS,
    TARGET_KINDS,
    Kept,
    LogEvent,
    Residency,
    Stay,
    evaluate,
)
from eisbach.core.policy.rules import Place, finding_values
from eisbach.core.vocabulary.reasons import Reason, Refusal

if TYPE_CHECKING:
    from eisbach.app.application import Application

TRIES_MAX = 5
JOB_KINDS_LEFT_OUT = frozenset({"residency.stated", "usage.settled", "usage.settled_together", "job.funded", "job.reservation_moved"})
"""Events of the job that say nothing about places: other statements, and money."""
Json = dict[str, Any]


def statement(application: "Application", job: str) -> Json | Refusal:
    """Return where a job was and what of it is kept where, evaluated from the log's events now."""
    if (refusal := _ran_elsewhere(application, job)) is not None:
        return refusal
    events = relevant_events(application, job)
    if not events:
        return _absent(job)
    return statement_of(evaluate([as_log_event(one) for one in events], job))


def bundle(application: "Application", actor: Actor, job: str) -> Json | Refusal:
    """Return a bundle with every event that bears on where a job was, and a last one that names them all, under a head.

    The last event is the operator's signed word that nothing was left out; it is in the log before the bundle is made.
    """
    if (refusal := _ran_elsewhere(application, job)) is not None:
        return refusal
    for _ in range(TRIES_MAX):
        events = relevant_events(application, job)
        if not events:
            return _absent(job)
        positions = tuple(one.seq for one in events)
        project = (application.reader.row("jobs", job) or {})["project"]
        stated = application.perform(command(actor, job=job, project=project, positions=positions)).result()
        if isinstance(stated, Refusal):
            return stated
        until = int(stated["position"])
        if positions == tuple(one.seq for one in relevant_events(application, job) if one.seq < until):
            last = application.reader.events(after_seq=until - 1, limit=1)[0]
            made = bundle_of(application, [*events, last])
            if isinstance(made, Refusal):
                return made
            found = evaluate([as_log_event(one) for one in (*events, last)], job)
            return {**made, "residency": statement_of(found)}
    return Refusal(Reason.OVERLOADED, "Rules or sites change while the proof is made", "Repeat it in a moment")


def command(actor: Actor, *, job: str, project: str, positions: tuple[int, ...]) -> Command:
    """Return the command that states which events bear on where a job was."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        event = ResidencyStated(job=job, project=project, positions=positions, by=actor.token)
        return Decision(events=(event,), reply={"job": job, "position": state.next_seq})

    return decide


def relevant_events(application: "Application", job: str) -> list[SealedEvent]:
    """Return the events that bear on where a job and what is left of it were and are, in order; none without the job."""
    reader = application.reader
    row = reader.row("jobs", job)
    if row is None:
        return []
    found = {one.seq: one for one in events_about(reader, job) if one.kind not in JOB_KINDS_LEFT_OUT}
    sites = {site["site"] for site in reader.rows("sites", {}, limit=1000).rows}
    subjects = [(site, SITE_KINDS | TARGET_KINDS) for site in sites]
    for data_set in _data_sets(found.values()):
        subjects.append((data_set, DATA_KINDS))
        for seq in _violations_of(application, data_set):
            found |= {one.seq: one for one in reader.events(after_seq=seq - 1, limit=1)}
    subjects += [(node, NODE_KINDS) for node in _nodes(application, job)]
    for owner in _owners(application, row["project"]):
        subjects.append((owner, frozenset({"rule.set", "organisation.created", "project.created"})))
    for subject, kinds in subjects:
        found |= {one.seq: one for one in events_about(reader, subject) if kind_told(one) in kinds}
    return [found[seq] for seq in sorted(found)]


def as_log_event(sealed: SealedEvent) -> LogEvent:
    """Return what an event's bytes say."""
    return event_told(msgspec.json.decode(sealed.data))


def event_told(said: Json) -> LogEvent:
    """Return what an event's JSON says; for a record of an import what that tells, at the record's own place."""
    kind, body, at_root = said["kind"], said["body"], False
    while kind == "record.imported":
        at_root = at_root or body["at_root"]
        inner = msgspec.json.decode(body["data"])
        kind, body = inner["kind"], inner["body"]
    return LogEvent(said["seq"], said["at"], kind, {**body, "parent": None} if at_root else body)


def statement_of(found: Residency) -> Json:
    """Return a residency as plain values and as sentences."""
    return {
        "job": found.job,
        "project": found.project,
        "from_position": found.from_seq,
        "from_ms": found.from_ms,
        "until_position": found.until_seq,
        "until_ms": found.until_ms,
        "is_clean": found.is_clean,
        "rules": [rule_values(scoped) for scoped in found.rules],
        "stays": [_stay(stay) for stay in found.stays],
        "kept": [_kept(one) for one in found.kept],
        "violations": list(found.violations),
        "text": words(found),
        "does_not_prove": list(LIMITS_OF_PROOF),
    }


def _stay(stay: Stay) -> Json:
    return {
        "attempt": stay.attempt,
        **_place(stay.place),
        "nodes": list(stay.nodes),
        "rules": list(stay.rules),
        "policy_version": stay.policy_version,
        "position": stay.planned_seq,
        "planned_ms": stay.planned_ms,
        "ended_ms": stay.ended_ms,
        "findings": [dict(finding_values(one)) for one in stay.findings],
        "reasons": [finding_text(one) for one in stay.findings],
    }


def _kept(one: Kept) -> Json:
    return {
        "what": one.what,
        "subject": one.subject,
        **_place(one.place),
        "position": one.since_seq if one.since_seq >= 0 else None,
        "findings": [dict(finding_values(found)) for found in one.findings],
        "reasons": [finding_text(found) for found in one.findings],
    }


def _place(place: Place) -> Json:
    names = ("site", "country", "operator", "operator_country", "parent_country")
    return {**{name: getattr(place, name) for name in names}, "simulated": place.is_simulated}


def _nodes(application: "Application", job: str) -> set[str]:
    attempts = application.reader.rows("attempts", {"job": job}, limit=1000).rows
    return {node for attempt in attempts for node in attempt["nodes"].split()}


def _data_sets(events: Iterable[SealedEvent]) -> tuple[str, ...]:
    """Return the data sets that the job's submission names."""
    submitted = next((one for one in events if one.kind == "job.submitted"), None)
    return tuple(as_log_event(submitted).body.get("data", ())) if submitted is not None else ()


def _violations_of(application: "Application", data_set: str) -> Iterator[int]:
    """Yield the positions of what was found about copies of a data set, and of its end."""
    for row in application.reader.rows("violations", {"what": "copy", "subject": data_set}, limit=1000).rows:
        yield from (seq for seq in (row["found_seq"], row["ended_seq"]) if seq is not None)


def _owners(application: "Application", project: str) -> Iterator[str]:
    yield project
    row = application.reader.row("projects", project)
    owner = row["organisation"] if row is not None else None
    while owner is not None:
        yield owner
        above = application.reader.row("organisations", owner)
        owner = above["parent"] if above is not None else None


def _ran_elsewhere(application: "Application", job: str) -> Refusal | None:
    """Return the refusal for a job that came with its organisation: where it was, only the first factory's log says."""
    first = application.reader.events_of(job, limit=1)
    body = open_event(first[0].data).body if first else None
    if not isinstance(body, RecordImported):
        return None
    what = f"The job {job} ran in {body.origin}, before its organisation came here"
    do = "Ask there for the proof; its events stand in the package that was imported"
    return Refusal(Reason.NOT_SUPPORTED, what, do, values={"origin": body.origin})


def _absent(job: str) -> Refusal:
    return Refusal(Reason.NOT_FOUND, f"The log has no events about {job!r}", "Look at `eisbach ps`")
