"""Folding events about placement rules into the state."""

from collections.abc import Callable
from typing import Any

from eisbach.app import events_policy as e
from eisbach.app.event_body import Body
from eisbach.app.places import compile_again
from eisbach.app.state import FactoryState
from eisbach.app.state_policy import OpenViolation, OwnedRule


def _rule_set(state: FactoryState, seq: int, at_ms: int, body: e.RuleSet) -> None:
    if body.limits:
        state.policy.rules[body.owner] = OwnedRule(body.scope, body.limits, seq)
    else:
        state.policy.rules.pop(body.owner, None)
    compile_again(state, seq)


def _violation_found(state: FactoryState, seq: int, at_ms: int, body: e.ViolationFound) -> None:
    key = f"{body.what} {body.subject} {body.site}"
    state.policy.violations[key] = OpenViolation(body.violation, body.what, body.subject, body.job, body.site, seq)


def _violation_ended(state: FactoryState, seq: int, at_ms: int, body: e.ViolationEnded) -> None:
    open_ones = state.policy.violations
    for key in [key for key, one in open_ones.items() if one.violation == body.violation]:
        del open_ones[key]


def _target_used(state: FactoryState, seq: int, at_ms: int, body: e.TargetUsed) -> None:
    state.policy.targets[f"{body.use} {body.site}"] = seq


def _target_cleared(state: FactoryState, seq: int, at_ms: int, body: e.TargetCleared) -> None:
    state.policy.targets.pop(f"{body.use} {body.site}", None)


CHANGES: dict[type[Body], Callable[[FactoryState, int, int, Any], None]] = {
    e.RuleSet: _rule_set,
    e.ViolationFound: _violation_found,
    e.ViolationEnded: _violation_ended,
    e.TargetUsed: _target_used,
    e.TargetCleared: _target_cleared,
}
