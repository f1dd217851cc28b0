"""Rows about placement rules as answers: findings become values and sentences."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from eisbach.app.check_place import finding_text
from eisbach.core.policy.rules import Finding, Scope, finding_values

Row = Mapping[str, Any]


def violation(row: Row) -> dict[str, Any]:
    """Return a violation with its findings and what they say in English."""
    findings = findings_in(json.loads(row["findings"]))
    copied = ("violation", "what", "subject", "job", "project", "organisation", "site", "policy_version", "ended_how")
    return {
        **{name: row[name] for name in copied},
        "findings": [dict(finding_values(one)) for one in findings],
        "reasons": [finding_text(one) for one in findings],
        "position": row["found_seq"],
        "found_ms": row["found_ms"],
        "ended_ms": row["ended_ms"],
    }


def findings_in(tuples: Iterable[Any]) -> tuple[Finding, ...]:
    """Return findings as they stand in an event or a row."""
    return tuple(
        Finding(site, fact, value, tuple(allowed), Scope(scope), name, position)
        for site, fact, value, allowed, scope, name, position in tuples
    )
