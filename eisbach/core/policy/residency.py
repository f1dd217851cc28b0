"""Where a job was, by which rules, as events alone say it: what a residency proof states and what its check re-evaluates.

`scripts/verify_residency.py` does the same without any of this code.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eisbach.core.jobs.placement import PlacementRule, rule_of
from eisbach.core.policy.rules import Finding, Place, Scope, ScopedRule, findings_of
from eisbach.core.vocabulary.countries import UNKNOWN_COUNTRY

STATED = "residency.stated"
POLICY_KINDS = frozenset({"rule.set", "site.declared", "site.changed"})
"""Kinds that move the policy version."""
SITE_KINDS = frozenset({"site.declared", "site.changed"})
NODE_KINDS = frozenset({"node.declared", "node.changed"})
DATA_KINDS = frozenset({"data_set.announced", "data_set.copying", "data_set.copied", "data_set.abandoned", "data_set.deleted"})
TARGET_KINDS = frozenset({"target.used", "target.cleared"})


class ResidencyWrong(ValueError):
    """The events contradict one another, or one that must be there is missing; the message names it."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """An event as its leaf says it."""

    seq: int
    at_ms: int
    kind: str
    body: Mapping[str, Any]


@dataclass(slots=True)
class Stay:
    """An attempt at its site. `findings` is everything that rules had against the place at any time of it."""

    attempt: str
    place: Place
    nodes: tuple[str, ...]
    rules: tuple[int, ...]
    policy_version: int
    planned_seq: int
    planned_ms: int
    ended_ms: int | None = None
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Kept:
    """Where something that holds the job's traces is kept now: `what` is `log`, `backup` or `data_set`."""

    what: str
    subject: str
    place: Place
    since_seq: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Residency:
    """Where a job was and where its data, logs and backups are, up to an event's position."""

    job: str
    project: str
    rules: tuple[ScopedRule, ...]
    stays: tuple[Stay, ...]
    kept: tuple[Kept, ...]
    violations: tuple[int, ...]
    """positions of the violations that were found, ended or not"""
    from_seq: int
    from_ms: int
    until_seq: int
    until_ms: int

    @property
    def is_clean(self) -> bool:
        """Return whether nothing was ever, or is now, where a rule forbids it."""
        is_somewhere_wrong = any(stay.findings for stay in self.stays) or any(one.findings for one in self.kept)
        return not self.violations and not is_somewhere_wrong


def evaluate(events: Iterable[LogEvent], job: str) -> Residency:
    """Return where a job was, from the events that bear on it; raise ResidencyWrong where they do not fit together."""
    replay = _Replay(job)
    for event in sorted(events, key=lambda event: event.seq):
        replay.take(event)
    return replay.result()


def check_stated(events: Sequence[LogEvent]) -> Residency:
    """Return the residency that a proof's events give, once they are exactly those which its last event names."""
    ordered = sorted(events, key=lambda event: event.seq)
    if not ordered or ordered[-1].kind != STATED:
        raise ResidencyWrong(f"the last event is not {STATED}: nobody says that these are all events that matter")
    stated = ordered[-1]
    named, there = set(stated.body["positions"]), {event.seq for event in ordered[:-1]}
    if named - there:
        raise ResidencyWrong(f"event {min(named - there)} is missing; event {stated.seq} names it")
    if there - named:
        raise ResidencyWrong(f"event {min(there - named)} is not among those that event {stated.seq} names")
    found = evaluate(ordered, stated.body["job"])
    if found.project != stated.body["project"]:
        raise ResidencyWrong(f"event {stated.seq} speaks of another project")
    return found


class _Replay:
    """What the events up to one of them say, in the order of the log."""

    def __init__(self, job: str) -> None:
        self.job, self.project = job, ""
        self.places: dict[str, Place] = {}
        self.nodes: dict[str, str] = {}
        self.parents: dict[str, str | None] = {}
        self.owner_of: dict[str, str] = {}
        self.rules: dict[str, ScopedRule] = {}
        self.own: ScopedRule | None = None
        self.stays: dict[str, Stay] = {}
        self.targets: dict[tuple[str, str], int] = {}
        self.data: tuple[str, ...] = ()
        self.data_rules: dict[str, ScopedRule] = {}
        self.copies: dict[tuple[str, str], int] = {}
        self.gone: set[int] = set()
        self.violations: list[int] = []
        self.moved_at = -1
        self.first: LogEvent | None = None
        self.last: LogEvent | None = None

    def take(self, event: LogEvent) -> None:
        """Make one event true."""
        body = event.body
        self.last = event
        match event.kind:
            case kind if kind in SITE_KINDS:
                self._site(event)
            case kind if kind in NODE_KINDS:
                self.nodes[body["node"]] = body.get("site") or self.nodes.get(body["node"], "")
            case "organisation.created":
                self.parents[body["organisation"]] = body["parent"]
            case "project.created":
                self.owner_of[body["project"]] = body["organisation"]
            case "rule.set":
                self._rule(event)
            case "job.submitted":
                self._submitted(event)
            case "attempt.planned":
                self._planned(event)
            case "attempt.ended":
                self._stay(event).ended_ms = body["ended_ms"]
            case "violation.found":
                self.violations.append(event.seq)
            case "target.used":
                self.targets[body["use"], body["site"]] = event.seq
            case "target.cleared":
                self.targets.pop((body["use"], body["site"]), None)
            case kind if kind in DATA_KINDS:
                self._data(event)
        if event.kind in POLICY_KINDS:
            self.moved_at = event.seq
            self._look_again()

    def result(self) -> Residency:
        """Return where the job was and what of it is kept where."""
        if self.first is None or self.last is None:
            raise ResidencyWrong(f"no event submits the job {self.job}")
        return Residency(
            job=self.job,
            project=self.project,
            rules=self.chain(),
            stays=tuple(self.stays.values()),
            kept=tuple(self._kept()),
            violations=tuple(self.violations),
            from_seq=self.first.seq,
            from_ms=self.first.at_ms,
            until_seq=self.last.seq,
            until_ms=self.last.at_ms,
        )

    def chain(self) -> tuple[ScopedRule, ...]:
        """Return the rules that hold for the job now, the topmost organisation's first."""
        if self.project not in self.owner_of:
            raise ResidencyWrong(f"the project {self.project} of the job is missing")
        found: list[ScopedRule] = []
        owner: str | None = self.owner_of[self.project]
        while owner is not None:
            if owner not in self.parents:
                raise ResidencyWrong(f"the organisation {owner} is missing")
            found += [self.rules[owner]] if owner in self.rules else []
            owner = self.parents[owner]
        found.reverse()
        found += [self.rules[self.project]] if self.project in self.rules else []
        found += [self.data_rules[name] for name in self.data if name in self.data_rules]
        return (*found, self.own) if self.own is not None else tuple(found)

    def _site(self, event: LogEvent) -> None:
        body = event.body
        self.places[body["site"]] = Place(
            site=body["site"],
            country=body["country"],
            operator_country=body["operator_country"],
            parent_country=body.get("parent_country") or body["operator_country"],
            operator=body["operator"],
            is_simulated=body["simulated"],
        )

    def _rule(self, event: LogEvent) -> None:
        body = event.body
        if body["limits"]:
            self.rules[body["owner"]] = ScopedRule(Scope(body["scope"]), body["owner"], _rule(body["limits"]), event.seq)
        else:
            self.rules.pop(body["owner"], None)

    def _data(self, event: LogEvent) -> None:
        """Where a data set lies, or is on its way to, and its own rule."""
        name, body = event.body["data_set"], event.body
        match event.kind:
            case "data_set.announced":
                self.copies[name, body["site"]] = event.seq
                if body["countries"]:
                    rule = PlacementRule(countries=tuple(body["countries"]))
                    self.data_rules[name] = ScopedRule(Scope.DATA_SET, name, rule, event.seq)
            case "data_set.copying" | "data_set.copied":
                self.copies.setdefault((name, body["site"]), event.seq)
            case _:
                self.copies = {key: seq for key, seq in self.copies.items() if key[0] != name}
                if name in self.data_rules:
                    self.gone.add(self.data_rules.pop(name).position)

    def _submitted(self, event: LogEvent) -> None:
        if event.body["job"] != self.job:
            raise ResidencyWrong(f"event {event.seq} submits another job")
        self.first, self.project = event, event.body["project"]
        limits = event.body.get("placement", ())
        self.data = tuple(event.body.get("data", ()))
        self.own = ScopedRule(Scope.JOB, self.job, _rule(limits), event.seq) if limits else None

    def _planned(self, event: LogEvent) -> None:
        body = event.body
        if body["job"] != self.job or self.first is None:
            raise ResidencyWrong(f"event {event.seq} is about another job")
        nodes = tuple(sorted({task[1] for task in body["tasks"]}))
        sites = {self.nodes.get(node, "") for node in nodes}
        if len(sites) != 1 or body.get("site", "") not in ("", *sites):
            raise ResidencyWrong(f"event {event.seq}: the nodes {', '.join(nodes)} are not at one site that it names")
        (site,) = sites
        rules, version = tuple(body.get("rules", ())), body.get("policy_version", -1)
        held = tuple(scoped.position for scoped in self.chain())
        named = tuple(position for position in rules if position not in self.gone)
        if version >= 0 and (named != held or self.moved_at > version):
            raise ResidencyWrong(
                f"event {event.seq} was planned by the rules {list(rules)} in version {version}, "
                f"but the events here say {list(held)} in version {self.moved_at}"
            )
        stay = Stay(body["attempt"], self._place(site), nodes, rules, version, event.seq, event.at_ms)
        self.stays[stay.attempt] = stay
        self._look_at(stay)

    def _stay(self, event: LogEvent) -> Stay:
        try:
            return self.stays[event.body["attempt"]]
        except KeyError:
            raise ResidencyWrong(f"event {event.seq} ends an attempt whose plan is missing") from None

    def _look_again(self) -> None:
        for stay in self.stays.values():
            if stay.ended_ms is None:
                self._look_at(stay)

    def _look_at(self, stay: Stay) -> None:
        found = findings_of(self.chain(), self._place(stay.place.site))
        stay.findings += [one for one in found if one not in stay.findings]

    def _kept(self) -> Iterable[Kept]:
        own = next(iter(self.places), "")
        targets = {("log", own): -1, **self.targets} if own else self.targets
        for (use, site), seq in targets.items():
            place = self._place(site)
            rules = [one for one in self.chain() if one.scope in (Scope.ORGANISATION, Scope.PROJECT)]
            found = tuple(one for one in findings_of(rules, place) if one.fact != "site")
            yield Kept(use, site, place, seq, found)
        for (name, site), seq in self.copies.items():
            place = self._place(site)
            of_others = (Scope.JOB, Scope.DATA_SET)
            rules = [one for one in self.chain() if one.scope not in of_others or one.name == name]
            yield Kept("data_set", name, place, seq, findings_of(rules, place))

    def _place(self, site: str) -> Place:
        unknown = Place(site, UNKNOWN_COUNTRY, UNKNOWN_COUNTRY, UNKNOWN_COUNTRY)
        return self.places.get(site, unknown)


def _rule(limits: Any) -> Any:
    return rule_of(tuple((key, tuple(values)) for key, values in limits))
