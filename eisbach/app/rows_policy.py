"""Rows that follow from events about placement rules."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from eisbach.app import events_policy as e
from eisbach.app.event_body import Body
from eisbach.app.row_operations import Insert, Op, Update

Texts = Mapping[str, str]


def _rule_set(seq: int, at_ms: int, body: e.RuleSet, texts: Texts) -> list[Op]:
    row = {
        "rule": f"{seq:012d}",
        "owner": body.owner,
        "scope": body.scope,
        "limits": json.dumps(dict(body.limits)),
        "set_by": body.by,
        "at_ms": at_ms,
        "seq": seq,
    }
    return [Insert("placement_rules", row)]


def _placement_refused(seq: int, at_ms: int, body: e.PlacementRefused, texts: Texts) -> list[Op]:
    row = {
        "refusal": f"{seq:012d}",
        "what": body.what,
        "project": body.project,
        "organisation": body.organisation,
        "asked": json.dumps(body.asked),
        "findings": json.dumps(body.findings),
        "policy_version": body.policy_version,
        "refused_by": body.by,
        "at_ms": at_ms,
        "seq": seq,
    }
    return [Insert("placement_refusals", row)]


def _violation_found(seq: int, at_ms: int, body: e.ViolationFound, texts: Texts) -> list[Op]:
    row = {
        "violation": body.violation,
        "what": body.what,
        "subject": body.subject,
        "job": body.job,
        "project": body.project,
        "organisation": body.organisation,
        "site": body.site,
        "findings": json.dumps(body.findings),
        "policy_version": body.policy_version,
        "found_ms": at_ms,
        "found_seq": seq,
        "ended_ms": None,
        "ended_seq": None,
        "ended_how": "",
    }
    return [Insert("violations", row)]


def _violation_ended(seq: int, at_ms: int, body: e.ViolationEnded, texts: Texts) -> list[Op]:
    return [Update("violations", body.violation, {"ended_ms": at_ms, "ended_seq": seq, "ended_how": body.how})]


def _target_used(seq: int, at_ms: int, body: e.TargetUsed, texts: Texts) -> list[Op]:
    row = {
        "target": body.target,
        "use": body.use,
        "site": body.site,
        "is_cleared": False,
        "head_size": body.head_size,
        "policy_version": body.policy_version,
        "told_by": body.by,
        "at_ms": at_ms,
        "seq": seq,
    }
    return [Insert("targets", row)]


def _target_cleared(seq: int, at_ms: int, body: e.TargetCleared, texts: Texts) -> list[Op]:
    row = {
        "target": body.target,
        "use": body.use,
        "site": body.site,
        "is_cleared": True,
        "head_size": 0,
        "policy_version": -1,
        "told_by": body.by,
        "at_ms": at_ms,
        "seq": seq,
    }
    return [Insert("targets", row)]


PRIMARY_KEYS: dict[str, str] = {
    "placement_rules": "rule",
    "placement_refusals": "refusal",
    "violations": "violation",
    "targets": "target",
}
TEXT_COLUMNS: dict[str, str] = {}
ROWS: dict[type[Body], Callable[[int, int, Any, Texts], list[Op]]] = {
    e.RuleSet: _rule_set,
    e.PlacementRefused: _placement_refused,
    e.ViolationFound: _violation_found,
    e.ViolationEnded: _violation_ended,
    e.TargetUsed: _target_used,
    e.TargetCleared: _target_cleared,
}
