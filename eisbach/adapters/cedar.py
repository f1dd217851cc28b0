"""Authorisation by Cedar policies (policies.cedar), parsed once; decisions cached by all that determines them."""

import json
import threading
from collections.abc import Mapping
from importlib.resources import files

import cedarpy

from eisbach.ports.authoriser import Resource, Verdict

DECISIONS_MAX = 20_000
"""Decisions kept; when full, all are forgotten (a decision costs 160 microseconds, so nobody notices)."""

Uid = dict[str, str]
_Question = tuple[str, str | None, str | None, str, str, tuple[str, ...], str | None]


def read_policies() -> tuple[str, str]:
    """Return the texts of the policies and of their schema, as they were installed."""
    folder = files("eisbach.adapters")
    return folder.joinpath("policies.cedar").read_text(), folder.joinpath("policies.cedarschema").read_text()


class CedarAuthoriser:
    """Decides by a set of Cedar policies (implements ports.authoriser.Authoriser). May be called from any thread."""

    __slots__ = ("_base", "_decisions", "_lock", "_policies")

    def __init__(self, policies: str | None = None, schema: str | None = None) -> None:
        """Raise ValueError where policies or schema are not valid Cedar. The installed ones are the default."""
        installed = read_policies()
        self._policies = cedarpy.PolicySet.from_str(policies if policies is not None else installed[0])
        # With a schema the entity set starts with all actions and their groups.
        self._base = cedarpy.Entities.from_json_str("[]", schema if schema is not None else installed[1])
        self._decisions: dict[_Question, Verdict] = {}
        self._lock = threading.Lock()

    def decide(
        self, role: str, organisation: str | None, project: str | None, action: str, resource: Resource
    ) -> Verdict:
        """Return whether an actor of this role, bound to this organisation and project, may do `action`."""
        question = (role, organisation, project, action, resource.kind, resource.organisations, resource.project)
        verdict = self._decisions.get(question)
        if verdict is None:
            verdict = self._evaluate(question)
            with self._lock:
                if len(self._decisions) >= DECISIONS_MAX:
                    self._decisions.clear()
                self._decisions[question] = verdict
        return verdict

    def _evaluate(self, question: _Question) -> Verdict:
        role, organisation, project, action, kind, organisations, owner = question
        actor = _uid("Actor", "caller")
        target, entities = _resource_entities(kind, organisations, owner)
        attributes: dict[str, object] = {}
        if organisation is not None:
            attributes["organisation"] = {"__entity": _uid("Organisation", organisation)}
        if project is not None:
            attributes["project"] = {"__entity": _uid("Project", project)}
        entities.append(_entity(actor, [_uid("Role", role)], attributes))
        result = cedarpy.is_authorized(
            {"principal": actor, "action": _uid("Action", action), "resource": target},
            self._policies,
            self._base.with_added_json_str(json.dumps(entities)),
        )
        # A policy that could not be evaluated counts as a denial, whatever the others say.
        is_allowed = result.allowed and not result.diagnostics.errors
        names = result.diagnostics.id_annotations_by_reason
        return Verdict(is_allowed, tuple(sorted(names.get(policy, policy) for policy in result.diagnostics.reasons)))


def _resource_entities(kind: str, organisations: tuple[str, ...], project: str | None) -> tuple[Uid, list[object]]:
    """Return the uid of what the call is about and the entities from it up to the root organisation."""
    chain = [_uid("Organisation", organisation) for organisation in organisations]
    if project is not None:
        chain.insert(0, _uid("Project", project))
    if kind not in ("Organisation", "Project"):
        chain.insert(0, _uid(kind, "target"))
    entities: list[object] = [_entity(uid, chain[place + 1 : place + 2]) for place, uid in enumerate(chain)]
    return (chain[0] if chain else _uid(kind, "target")), entities


def _uid(kind: str, name: str) -> Uid:
    return {"type": kind, "id": name}


def _entity(uid: Uid, parents: list[Uid], attributes: Mapping[str, object] | None = None) -> dict[str, object]:
    return {"uid": uid, "attrs": dict(attributes or {}), "parents": parents}
