"""Where logs and backups go: allowed by everybody's rules, on record, refused on record, and looked at by the round."""

import pytest

from eisbach.app import use_target
from eisbach.app.audit_places import audit_places
from eisbach.app.commands import SYSTEM
from eisbach.app.rounds import Round
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.app.factory import new_factory
from tests.app.invariants import check_all, events_of
from tests.app.world_of_sites import (
    ASHBURN,
    LISBON,
    MUNICH,
    VIENNA,
    another_tenant,
    change_site,
    organisation_of,
    put_sites,
    set_rule,
)

AUDIT = Round("audit-places", 1, audit_places)


@pytest.fixture
def factory(tmp_path):
    """The factory's own site is Munich."""
    made = new_factory(tmp_path, site=MUNICH)
    put_sites(made, MUNICH, ASHBURN, LISBON, VIENNA)
    return made


def use(factory, what, site=None):
    return factory.perform(use_target.command(SYSTEM, use=what, site=site))


def open_violations(factory):
    rows = factory.store.rows("violations", {"ended_how": ""}).rows
    return sorted((row["what"], row["site"]) for row in rows)


def test_a_permitted_place_is_on_record_before_anything_is_written(factory):
    set_rule(factory, organisation_of(factory), countries=("DE", "AT"))
    made = use(factory, "backup", "vienna")
    event = events_of(factory)[made["position"]]
    assert event.kind == "target.used"
    assert use(factory, "log")["site"] == "munich", "without a place: the factory's own"
    assert {(row["use"], row["site"]) for row in factory.store.rows("targets", {}).rows} == {("backup", "vienna"), ("log", "munich")}
    check_all(factory)


@pytest.mark.parametrize("what", ["log", "backup"])
def test_a_place_that_any_organisation_forbids_is_refused_and_logged(factory, what):
    """It holds everybody's data, so a stranger's rule counts as well."""
    other, _ = another_tenant(factory)
    set_rule(factory, organisation_of(factory), countries=("DE", "AT", "US"))
    set_rule(factory, other, parent_countries=("DE", "AT"))
    answer = use(factory, what, "ashburn")
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.RESIDENCY_FORBIDDEN
    assert [(one["fact"], one["name"]) for one in answer.values["findings"]] == [("parent_country", other)]
    event = events_of(factory)[answer.values["log_position"]]
    assert event.kind == "placement.refused"
    assert not factory.store.rows("targets", {}).rows


def test_a_site_that_is_not_there_is_no_target(factory):
    assert use(factory, "backup", "atlantis").reason is Reason.INVALID_ARGUMENT
    assert factory.perform(use_target.clear(SYSTEM, use="backup", site="vienna")).reason is Reason.INVALID_ARGUMENT


def test_a_backup_at_a_place_that_a_later_rule_forbids_is_a_violation_until_it_is_cleared(factory):
    use(factory, "backup", "ashburn")
    set_rule(factory, organisation_of(factory), countries=("DE", "AT"))
    factory.run_rounds(AUDIT)
    assert open_violations(factory) == [("backup", "ashburn")]
    factory.run_rounds(AUDIT)
    assert len(factory.store.rows("violations", {}).rows) == 1, "told once"
    factory.perform(use_target.clear(SYSTEM, use="backup", site="ashburn"))
    factory.run_rounds(AUDIT)
    assert open_violations(factory) == []
    assert factory.store.rows("violations", {}).rows[0]["ended_how"] == "gone"
    check_all(factory)


def test_the_factorys_own_log_is_looked_at_too_and_its_backups_go_on(factory):
    """A rule that forbids the factory's own site cannot stop its backups; it is a violation that everybody sees."""
    set_rule(factory, organisation_of(factory), countries=("DE", "AT"))
    change_site(factory, "munich", country="US")
    factory.run_rounds(AUDIT)
    assert open_violations(factory) == [("log", "munich")]
    assert use(factory, "backup")["site"] == "munich"
    set_rule(factory, organisation_of(factory))
    factory.run_rounds(AUDIT)
    assert open_violations(factory) == []
    assert {row["ended_how"] for row in factory.store.rows("violations", {}).rows} == {"allowed"}
    check_all(factory)


def test_a_list_of_sites_is_about_work_and_not_about_backups(factory):
    set_rule(factory, organisation_of(factory), sites=("munich",))
    assert use(factory, "backup", "vienna")["site"] == "vienna"
