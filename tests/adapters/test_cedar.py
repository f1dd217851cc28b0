"""Who may do what, as a table; and that the policies are valid, named, and deny by default."""

import re

import cedarpy
import pytest

from eisbach.adapters.cedar import DECISIONS_MAX, CedarAuthoriser, read_policies
from eisbach.ports.authoriser import Resource

PROJECT = Resource("Project", ("org_b", "org_a"), "prj_1")
JOB = Resource("Job", ("org_b", "org_a"), "prj_1")
BELOW = Resource("Organisation", ("org_b", "org_a"))
ABOVE = Resource("Organisation", ("org_a",))
FACTORY, LOG, NODE = Resource("Factory"), Resource("Log"), Resource("Node")

OPERATOR = ("operator", None, None)
AUDITOR = ("auditor", None, None)
ADMIN = ("admin", "org_b", None)
ADMIN_ABOVE = ("admin", "org_a", None)
ADMIN_BESIDE = ("admin", "org_c", None)
MEMBER = ("member", "org_b", "prj_1")
MEMBER_BESIDE = ("member", "org_b", "prj_2")
VIEWER = ("viewer", "org_b", "prj_1")
EVERYBODY = [OPERATOR, AUDITOR, ADMIN, ADMIN_ABOVE, ADMIN_BESIDE, MEMBER, MEMBER_BESIDE, VIEWER]

TABLE = [
    ("job:submit", PROJECT, [OPERATOR, ADMIN, ADMIN_ABOVE, MEMBER]),
    ("job:cancel", JOB, [OPERATOR, ADMIN, ADMIN_ABOVE, MEMBER]),
    ("job:read", JOB, [OPERATOR, AUDITOR, ADMIN, ADMIN_ABOVE, MEMBER, VIEWER]),
    ("job:logs", JOB, [OPERATOR, AUDITOR, ADMIN, ADMIN_ABOVE, MEMBER, VIEWER]),
    ("artifact:read", JOB, [OPERATOR, AUDITOR, ADMIN, ADMIN_ABOVE, MEMBER]),
    ("secret:write", PROJECT, [OPERATOR, ADMIN, ADMIN_ABOVE, MEMBER]),
    ("secret:list", PROJECT, [OPERATOR, AUDITOR, ADMIN, ADMIN_ABOVE, MEMBER]),
    ("project:read", PROJECT, [OPERATOR, AUDITOR, ADMIN, ADMIN_ABOVE, MEMBER, VIEWER]),
    ("project:budget", PROJECT, [OPERATOR, ADMIN, ADMIN_ABOVE]),
    ("token:create", PROJECT, [OPERATOR, ADMIN, ADMIN_ABOVE]),
    ("token:create", FACTORY, [OPERATOR]),
    ("project:create", BELOW, [OPERATOR, ADMIN, ADMIN_ABOVE]),
    ("organisation:create", ABOVE, [OPERATOR, ADMIN_ABOVE]),
    ("organisation:create", FACTORY, [OPERATOR]),
    ("organisation:read", ABOVE, [OPERATOR, AUDITOR, ADMIN_ABOVE]),
    ("audit:read", LOG, [OPERATOR, AUDITOR]),
    ("factory:observe", FACTORY, [OPERATOR, AUDITOR]),
    ("node:drain", NODE, [OPERATOR]),
    ("node:read", NODE, [OPERATOR, AUDITOR]),
    ("offers:read", FACTORY, EVERYBODY),
]


@pytest.fixture(scope="module")
def authoriser():
    return CedarAuthoriser()


@pytest.mark.parametrize(("action", "resource", "allowed"), TABLE, ids=[f"{row[0]}-{row[1].kind}" for row in TABLE])
def test_each_action_is_for_those_who_should_do_it(authoriser, action, resource, allowed):
    assert [who for who in EVERYBODY if authoriser.decide(*who, action, resource).is_allowed] == allowed


def test_a_verdict_names_the_policies_that_determined_it(authoriser):
    assert authoriser.decide(*MEMBER, "job:submit", PROJECT).policies == ("member-works-in-the-project",)
    assert authoriser.decide(*MEMBER_BESIDE, "job:submit", PROJECT).policies == ("bound-to-a-project-never-leaves-it",)
    assert authoriser.decide(*VIEWER, "job:submit", PROJECT).policies == ()


@pytest.mark.parametrize("who", [("owner", None, None), ("", "org_a", "prj_1"), ('admin" || true', "org_a", None)])
def test_an_unknown_role_may_only_see_the_offer(authoriser, who):
    assert not authoriser.decide(*who, "job:read", JOB).is_allowed
    assert not authoriser.decide(*who, "node:drain", NODE).is_allowed


def test_an_action_of_no_group_is_denied_to_all_but_the_operator(authoriser):
    assert [who for who in EVERYBODY if authoriser.decide(*who, "job:explode", JOB).is_allowed] == [OPERATOR]


def test_the_policies_fit_their_schema_and_all_have_names():
    policies, schema = read_policies()
    result = cedarpy.validate_policies(policies, schema)
    assert result.validation_passed, result.errors
    statements = re.findall(r"^(?:permit|forbid) ", policies, re.MULTILINE)
    assert len(statements) == len(set(re.findall(r'^@id\("([^"]+)"\)$', policies, re.MULTILINE)))


def test_decisions_are_kept_up_to_a_bound(monkeypatch):
    authoriser = CedarAuthoriser()
    monkeypatch.setattr("eisbach.adapters.cedar.DECISIONS_MAX", 10)
    for number in range(25):
        authoriser.decide(*MEMBER, "job:read", Resource("Job", ("org_b",), f"prj_{number}"))
    assert len(authoriser._decisions) <= 10 < DECISIONS_MAX


def test_a_broken_policy_is_refused_at_once():
    with pytest.raises(ValueError, match="end of input"):
        CedarAuthoriser(policies="permit (principal,")
