"""Organisations, projects, budgets, tokens, secrets, archives: what is accepted, and every refusal by its reason."""

import pytest

from eisbach.app import create_organisation, create_project, issue_token, keep_secret, receive_archive, set_budget
from eisbach.app.commands import SYSTEM, Role
from eisbach.app.names import NAME_LENGTH_MAX
from eisbach.app.rounds import Round
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import DAY_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.app.invariants import events_of

BAD_NAMES = ["", "   ", "x" * (NAME_LENGTH_MAX + 1), "tab\tinside", " edge", "edge ", "new\nline", None, 7]


def refused(answer, reason, where=None):
    assert isinstance(answer, Refusal), answer
    assert answer.reason is reason, str(answer)
    assert where is None or answer.where == where
    assert answer.what
    assert answer.do, "a refusal says what to do"


def organisation_of(factory):
    return next(iter(factory.app.applier.state.organisations))


def test_an_organisation_joins_below_another(factory):
    top = organisation_of(factory)
    made = factory.perform(create_organisation.command(SYSTEM, name="Daughter", parent=top, segment="research"))
    row = factory.store.row("organisations", made["organisation"])
    assert (row["name"], row["parent"], row["segment"]) == ("Daughter", top, "research")
    assert factory.app.resource_of("Organisation", made["organisation"]).organisations == (made["organisation"], top)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_nobody_can_have(factory, name):
    size = factory.store.log_size()
    refused(factory.perform(create_organisation.command(SYSTEM, name=name)), Reason.INVALID_ARGUMENT, "name")
    project = create_project.command(SYSTEM, organisation=organisation_of(factory), name=name, budget_micro_eur=1)
    refused(factory.perform(project), Reason.INVALID_ARGUMENT, "name")
    assert factory.store.log_size() == size, "what is refused leaves no event"


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"name": "Org"}, Reason.NAME_TAKEN),
        ({"name": "New", "segment": "gamers"}, Reason.INVALID_ARGUMENT),
        ({"name": "New", "parent": "org_nobody"}, Reason.NOT_FOUND),
    ],
)
def test_organisations_that_are_refused(factory, asked, reason):
    refused(factory.perform(create_organisation.command(SYSTEM, **asked)), reason)


def test_two_organisations_of_one_name_in_one_batch(factory):
    asked = [factory.app.perform(create_organisation.command(SYSTEM, name="Twin")) for _ in range(2)]
    factory.settle()
    first, second = (one.result(timeout=0) for one in asked)
    assert first["name"] == "Twin"
    refused(second, Reason.NAME_TAKEN, "name")


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"name": "project"}, Reason.NAME_TAKEN),
        ({"organisation": "org_nobody"}, Reason.NOT_FOUND),
        ({"budget_micro_eur": -1}, Reason.INVALID_ARGUMENT),
        ({"budget_micro_eur": True}, Reason.INVALID_ARGUMENT),
        ({"budget_micro_eur": set_budget.BUDGET_MAX + 1}, Reason.INVALID_ARGUMENT),
        ({"budget_micro_eur": 1.5}, Reason.INVALID_ARGUMENT),
    ],
)
def test_projects_that_are_refused(factory, asked, reason):
    complete = {"organisation": organisation_of(factory), "name": "other", "budget_micro_eur": EURO, **asked}
    refused(factory.perform(create_project.command(SYSTEM, **complete)), reason)


def test_the_same_project_name_in_another_organisation(factory):
    other = factory.perform(create_organisation.command(SYSTEM, name="Other"))["organisation"]
    made = factory.perform(create_project.command(SYSTEM, organisation=other, name="project", budget_micro_eur=0))
    assert factory.app.resource_of("Project", made["project"]).organisations == (other,)


@pytest.mark.parametrize(
    ("project", "amount", "reason"),
    [("prj_nobody", EURO, Reason.NOT_FOUND), (None, -1, Reason.INVALID_ARGUMENT), (None, "5", Reason.INVALID_ARGUMENT)],
)
def test_budgets_that_are_refused(factory, project, amount, reason):
    command = set_budget.command(SYSTEM, project=project or factory.project, budget_micro_eur=amount)
    refused(factory.perform(command), reason)


def test_a_budget_holds_from_the_moment_it_is_set(factory):
    for euro in (5, 0, 70):
        factory.perform(set_budget.command(SYSTEM, project=factory.project, budget_micro_eur=euro * EURO))
        figures = factory.ask(lambda state, now: create_project.figures(state, factory.project, now))
        assert (figures["budget"], figures["available"]) == (euro * EURO, euro * EURO)
        assert factory.store.row("projects", factory.project)["budget"] == euro * EURO


def issue(factory, **asked):
    return factory.perform(issue_token.command(SYSTEM, **asked))


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_each_role_is_bound_to_its_place(factory, role):
    organisation = organisation_of(factory)
    bound = {
        "operator": {},
        "auditor": {},
        "admin": {"organisation": organisation},
        "member": {"project": factory.project},
        "viewer": {"project": factory.project},
    }[role]
    issued = issue(factory, role=role, label="for a test", **bound)
    actor = factory.app.actor_of(issued["secret"])
    assert (actor.token, actor.role.value, actor.project) == (issued["token"], role, bound.get("project"))
    assert actor.organisation == (organisation if bound else None)
    for wrong in ({}, {"organisation": organisation}, {"project": factory.project}):
        if wrong != bound:
            refused(issue(factory, role=role, **wrong), Reason.INVALID_ARGUMENT)


@pytest.mark.parametrize(
    ("asked", "reason", "where"),
    [
        ({"role": "king"}, Reason.INVALID_ARGUMENT, "role"),
        ({"role": "member", "project": "prj_nobody"}, Reason.NOT_FOUND, "project"),
        ({"role": "admin", "organisation": "org_nobody"}, Reason.NOT_FOUND, "organisation"),
        ({"role": "operator", "lifetime_ms": MINUTE_MS - 1}, Reason.INVALID_ARGUMENT, "lifetime"),
        ({"role": "operator", "lifetime_ms": 367 * DAY_MS}, Reason.INVALID_ARGUMENT, "lifetime"),
        ({"role": "operator", "label": "bad\nlabel"}, Reason.INVALID_ARGUMENT, "name"),
    ],
)
def test_tokens_that_are_refused(factory, asked, reason, where):
    refused(issue(factory, **asked), reason, where)


def test_a_project_of_another_organisation_makes_no_token(factory):
    other = factory.perform(create_organisation.command(SYSTEM, name="Other"))["organisation"]
    answer = issue(factory, role="member", organisation=other, project=factory.project)
    refused(answer, Reason.INVALID_ARGUMENT, "organisation")


def test_a_token_expires_at_its_instant(factory):
    issued = issue(factory, role="operator", lifetime_ms=MINUTE_MS)
    factory.pass_time(MINUTE_MS - 1)
    assert factory.app.actor_of(issued["secret"]) is not None
    factory.pass_time(1)
    assert factory.app.actor_of(issued["secret"]) is None


def test_a_revoked_token_opens_nothing_not_even_after_a_restart(factory):
    issued, kept = issue(factory, role="operator"), issue(factory, role="auditor")
    for _ in range(2):
        size = factory.store.log_size()
        assert factory.perform(issue_token.revoke(SYSTEM, token=issued["token"]))["revoked"] is True
    assert factory.store.log_size() == size, "revoking again changes nothing"
    again = factory.restart()
    assert again.app.actor_of(issued["secret"]) is None
    assert again.app.actor_of(kept["secret"]).role is Role.AUDITOR
    refused(again.perform(issue_token.revoke(SYSTEM, token="tok_nobody")), Reason.NOT_FOUND)


def test_nobody_holds_an_unknown_secret(factory):
    assert factory.app.actor_of("eis_guessed") is None
    assert factory.app.actor_of("") is None


def test_a_secret_is_told_once_and_kept_as_a_hash(factory):
    secret = issue(factory, role="operator", label="mine")["secret"]
    assert secret.startswith(issue_token.SECRET_PREFIX)
    assert all(secret.encode() not in sealed.data for sealed in events_of(factory))
    assert all(secret not in str(row) for row in factory.store.rows("tokens", {}).rows)


def test_the_first_token_is_issued_once(factory):
    """The first start writes the operator's file before it issues the token: repeated, it changes nothing."""
    first = issue(factory, role="operator", secret="eis_first")
    assert issue(factory, role="operator", secret="eis_first") == {"token": first["token"]}


def with_app(factory, call):
    """Call a use case that blocks until it is durable."""
    found = []
    factory.run_rounds(Round("call", 1, lambda app: found.append(call(app))))
    return found[0]


def test_secrets_are_kept_replaced_and_removed(factory):
    for value in ("one", "two"):
        answer = with_app(factory, lambda app, value=value: keep_secret.store(app, SYSTEM, factory.project, "HF_TOKEN", value))
        assert answer["name"] == "HF_TOKEN"
    assert factory.secrets.get(factory.project, "HF_TOKEN") == "two"
    assert keep_secret.names(factory.app, factory.project) == ["HF_TOKEN"]
    assert with_app(factory, lambda app: keep_secret.remove(app, SYSTEM, factory.project, "HF_TOKEN"))["removed"] is True
    assert keep_secret.names(factory.app, factory.project) == []
    refused(with_app(factory, lambda app: keep_secret.remove(app, SYSTEM, factory.project, "HF_TOKEN")), Reason.NOT_FOUND)


@pytest.mark.parametrize(
    ("name", "value", "where"),
    [
        ("", "hunter2", "name"),
        ("1ST", "hunter2", "name"),
        ("A-B", "hunter2", "name"),
        ("Ä", "hunter2", "name"),
        ("A" * 129, "hunter2", "name"),
        ("A", "zero\0byte", "value"),
        ("A", "x" * (keep_secret.VALUE_BYTES_MAX + 1), "value"),
    ],
)
def test_secrets_that_are_refused(factory, name, value, where):
    answer = with_app(factory, lambda app: keep_secret.store(app, SYSTEM, factory.project, name, value))
    refused(answer, Reason.INVALID_ARGUMENT, where)
    assert value not in str(answer)
    assert factory.secrets.values == {}


def test_a_secret_of_an_unknown_project_is_not_kept(factory):
    refused(with_app(factory, lambda app: keep_secret.store(app, SYSTEM, "prj_nobody", "A", "v")), Reason.NOT_FOUND)
    assert factory.secrets.values == {}


def test_an_archive_is_noted_once_a_project(factory):
    def note(project):
        return factory.perform(receive_archive.command(SYSTEM, project=project, archive="sha256:00", size=7))

    assert note(factory.project) == note(factory.project)
    factory = factory.restart(crash=False)
    assert note(factory.project)["archive"] == "sha256:00"
    assert [row["size"] for row in factory.store.rows("archives", {"project": factory.project}).rows] == [7]
    refused(note("prj_nobody"), Reason.NOT_FOUND)


def test_an_archive_that_two_requests_bring_at_once_is_noted_once(factory):
    """Whether it is known was asked before the decision; the second one's batch broke."""
    command = receive_archive.command(SYSTEM, project=factory.project, archive="sha256:00", size=7)
    asked = [factory.app.perform(command) for _ in range(2)]
    factory.settle()
    assert [one.result(timeout=0)["archive"] for one in asked] == ["sha256:00", "sha256:00"]
