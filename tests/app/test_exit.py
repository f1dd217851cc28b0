"""An organisation moves to a second factory: same ids, same rows, same balances, same proofs, and it works on there."""

import json
import subprocess
import sys
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest

from eisbach.app import (
    announce_data_set,
    create_organisation,
    create_project,
    issue_invoice,
    prove_residency,
    set_billing,
    set_rules,
    submit_job,
)
from eisbach.app.announce_data_set import DataLimits, NewDataSet
from eisbach.app.check_store import check_store
from eisbach.app.commands import SYSTEM
from eisbach.app.compare_import import compare
from eisbach.app.rounds import Round
from eisbach.app.tend_data_sets import tend_data_sets
from eisbach.core.jobs.placement import PlacementRule
from eisbach.core.vocabulary.interval import month_of
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.objects import Shelf
from tests.app.billing import FIRM
from tests.app.factory import a_job, new_factory
from tests.app.leaving import begun, exported, imported, inline, key_of, organisation_of


@pytest.fixture
def first(tmp_path):
    """A factory with history: one job succeeded, one failed, one of somebody else."""
    folder = tmp_path / "first"
    folder.mkdir()
    factory = new_factory(folder, seed=1)
    factory.submit(a_job("sleep 100", cpus=2, name="went well"))
    factory.submit(a_job("sleep 5; exit 3", name="failed"))
    org = factory.perform(create_organisation.command(SYSTEM, name="Others"))["organisation"]
    others = factory.perform(
        create_project.command(SYSTEM, organisation=org, name="other", budget_micro_eur=100 * EURO)
    )["project"]
    factory.submit(a_job("sleep 50", name="a stranger's job"), project=others)
    factory.pass_time(HOUR_MS)
    factory.run_rounds()
    return factory


@pytest.fixture
def second(tmp_path):
    folder = tmp_path / "second"
    folder.mkdir()
    return new_factory(folder, seed=500)


@pytest.fixture
def package(first, tmp_path):
    return exported(first, organisation_of(first), tmp_path / "package.tar")


def rows_of(factory, table, **where):
    return {next(iter(row.values())): row for row in factory.store.rows(table, where, limit=1000).rows}


def balances(factory, project):
    ledger = factory.app.applier.state.ledger.balances
    return {name: balance for name, balance in ledger.items() if name.startswith(project) and balance}


def test_it_arrives_with_the_same_ids_rows_and_balances(first, second, package):
    answer = imported(second, package, key_of(first))
    assert answer["is_new"] is True
    project = first.project
    for table in ("projects", "jobs", "attempts"):
        where = {"project": project} if table != "attempts" else {}
        ours = rows_of(first, table, **where)
        if table == "attempts":
            ours = {key: row for key, row in ours.items() if row["job"] in rows_of(first, "jobs", project=project)}
        assert ours
        assert ours == rows_of(second, table, **where)
    assert balances(second, project) == balances(first, project)
    assert second.app.applier.state.ledger.total() == 0
    assert check_store(second.store) == []


def test_nothing_of_anybody_else_leaves(first, package):
    content = package.read_bytes()
    state = first.app.applier.state
    others = [one.project for one in state.projects.values() if one.project != first.project]
    assert others
    assert b"stranger" not in content
    assert not any(name.encode() in content for name in others)


def test_the_same_package_twice_is_imported_once(first, second, package):
    imported(second, package, key_of(first))
    size = second.store.log_size()
    assert imported(second, package, key_of(first))["is_new"] is False
    assert second.store.log_size() == size


def test_a_key_that_is_not_the_trusted_one_is_refused_with_the_key(first, second, package):
    answer = imported(second, package, key_of(second))
    assert answer.reason is Reason.UNTRUSTED_ORIGIN
    assert key_of(first) in answer.what


def test_a_factory_that_has_it_refuses(first, package):
    answer = imported(first, package, key_of(first))
    assert answer.reason is Reason.ORGANISATION_EXISTS
    assert "at home here" in answer.what


def test_an_older_package_of_an_imported_organisation_is_refused(first, second, package, tmp_path):
    newer = exported(first, organisation_of(first), tmp_path / "newer.tar")
    imported(second, package, key_of(first))
    assert imported(second, newer, key_of(first)).reason is Reason.ORGANISATION_EXISTS


def test_work_goes_on_in_the_second_factory_within_what_is_left_of_the_month(first, second, package):
    imported(second, package, key_of(first))
    before = balances(second, first.project)
    job = second.submit(a_job("sleep 60"), project=first.project)
    second.pass_time(HOUR_MS)
    assert second.job(job)["outcome"] == "succeeded"
    after = balances(second, first.project)
    charged = next(name for name in before if name.endswith("/charged"))
    assert after[charged] > before[charged], "the month goes on: what was charged there counts here"
    assert sum(after.values()) == sum(before.values())
    assert check_store(second.store) == []


def test_a_restart_gives_the_same_state(first, second, package):
    imported(second, package, key_of(first))
    before = balances(second, first.project)
    again = second.restart()
    assert balances(again, first.project) == before
    assert again.app.applier.state.projects[first.project].name == "project"


def test_a_job_that_has_not_ended_stays_behind_by_name(first, second, tmp_path):
    job = first.submit(a_job("sleep 5000", limit_s=7200))
    export = begun(first, organisation_of(first))
    assert export.owned.unfinished == {job: "the job has not ended"}
    file = exported(first, organisation_of(first), tmp_path / "running.tar")
    assert imported(second, file, key_of(first))["is_new"] is True
    assert second.store.row("jobs", job) is None
    assert check_store(second.store) == []


def test_what_was_imported_can_leave_again(first, second, package, tmp_path):
    imported(second, package, key_of(first))
    folder = tmp_path / "third"
    folder.mkdir()
    third = new_factory(folder, seed=900)
    again = exported(second, organisation_of(first), tmp_path / "again.tar")
    assert imported(third, again, key_of(second))["is_new"] is True
    assert balances(third, first.project) == balances(first, first.project)
    assert rows_of(third, "jobs", project=first.project) == rows_of(first, "jobs", project=first.project)
    assert check_store(third.store) == []


def test_where_a_job_was_before_says_the_first_factory_and_of_later_ones_we_can_prove_it(first, second, package):
    old = first.submit(a_job("sleep 1"))
    first.pass_time(HOUR_MS)
    file = exported(first, organisation_of(first), first.folder / "later.tar")
    imported(second, file, key_of(first))
    answer = inline(second, lambda: prove_residency.bundle(second.app, SYSTEM, old))
    assert answer.reason is Reason.NOT_SUPPORTED
    assert first.app.signer.name in answer.what
    new = second.submit(a_job("sleep 1"), project=first.project)
    second.pass_time(HOUR_MS)
    proof = inline(second, lambda: prove_residency.bundle(second.app, SYSTEM, new))
    assert proof["residency"]["is_clean"] is True
    place = second.folder / "proof.json"
    place.write_text(json.dumps(proof))
    command = [sys.executable, Path(__file__).parents[2] / "scripts" / "verify_residency.py", place]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_rules_come_along_and_hold_in_the_second_factory(first, second, tmp_path):
    organisation = organisation_of(first)
    first.perform(set_rules.command(SYSTEM, owner=organisation, rule=PlacementRule(countries=("AT",))))
    file = exported(first, organisation, tmp_path / "ruled.tar")
    imported(second, file, key_of(first))
    refused = second.perform(submit_job.command(SYSTEM, project=first.project, spec=a_job("true")))
    assert isinstance(refused, Refusal), "the second factory is in Germany"
    assert check_store(second.store) == []


def test_what_was_charged_there_is_never_billed_here(first, second, package):
    imported(second, package, key_of(first))
    organisation, period = organisation_of(first), month_of(second.clock.now())
    assert any(name.endswith("/charged") and balance for name, balance in balances(second, first.project).items())
    answer = inline(second, lambda: issue_invoice.issue(second.app, SYSTEM, organisation, period))
    assert answer.reason is Reason.NOTHING_TO_BILL


def test_invoices_stay_the_first_sellers_under_their_numbers(first, second, tmp_path):
    organisation, period = organisation_of(first), month_of(first.clock.now())
    for factory, owner in ((first, organisation), (second, organisation_of(second))):
        factory.perform(set_billing.command(SYSTEM, organisation=owner, buyer=FIRM, seller_country="DE"))
    issued = inline(first, lambda: issue_invoice.issue(first.app, SYSTEM, organisation, period))
    file = exported(first, organisation, tmp_path / "billed.tar")
    with tarfile.open(file) as tar:
        assert tar.extractfile(f"invoices/{issued['invoice']}.xml").read().startswith(b"<?xml")
    second.submit(a_job("sleep 100", cpus=2))
    second.pass_time(HOUR_MS)
    own = inline(second, lambda: issue_invoice.issue(second.app, SYSTEM, organisation_of(second), period))
    assert own["invoice"] == issued["invoice"], "both sellers number from one"
    imported(second, file, key_of(first))
    rows = second.store.rows("invoices", {}).rows
    assert [row["organisation"] for row in rows] == [organisation_of(second)]
    again = inline(second, lambda: compare(second.app, organisation))
    assert again.is_same
    assert check_store(second.store) == []


def uploaded(factory, content, **facts):
    """A whole data set of these bytes in the factory's project."""
    new = NewDataSet(name="flow.csv", size=len(content), **facts)
    made = factory.perform(
        announce_data_set.command(SYSTEM, project=factory.project, new=new, limits=DataLimits())
    )["data_set"]
    with factory.app.objects.append(Shelf("here", organisation_of(factory)), made, len(content)) as incoming:
        incoming.write(content)
    factory.run_rounds(Round("tend", 1, tend_data_sets))
    return made


def test_data_sets_arrive_with_equal_hashes(first, second, tmp_path):
    content = bytes(range(256)) * 20
    data_set = uploaded(first, content, licence="CC-BY-4.0")
    half = first.perform(
        announce_data_set.command(
            SYSTEM, project=first.project, new=NewDataSet(name="half.csv", size=9), limits=DataLimits()
        )
    )["data_set"]
    file = exported(first, organisation_of(first), tmp_path / "data.tar")
    assert imported(second, file, key_of(first))["is_new"] is True
    here, there = (factory.store.row("data_sets", data_set) for factory in (second, first))
    assert (here["sha256"], here["manifest"], here["places"]) == (there["sha256"], there["manifest"], "here")
    shelf = Shelf("here", organisation_of(first))
    assert b"".join(second.app.objects.read(shelf, data_set, 0, len(content))) == content
    assert second.store.row("data_sets", half) is None, "an upload that is not whole stays behind"
    found = inline(second, lambda: compare(second.app, organisation_of(first)))
    assert found.is_same
    assert any(line.what.startswith("data sets") and line.here == "1" for line in found.lines)
    assert check_store(second.store) == []


def test_an_import_that_was_interrupted_goes_on(first, second, tmp_path):
    """Files came, the commit did not: the second try finds them and needs nothing else."""
    content = b"value\n" * 1000
    data_set = uploaded(first, content)
    file = exported(first, organisation_of(first), tmp_path / "data.tar")
    shelf = Shelf("here", organisation_of(first))
    with second.app.objects.append(shelf, data_set, len(content)) as incoming:
        incoming.write(content[:2500])
    assert second.store.row("organisations", organisation_of(first)) is None
    assert imported(second, file, key_of(first))["is_new"] is True
    assert second.app.objects.verify(shelf, data_set, len(content)).sha256 == sha256(content).hexdigest()


def test_data_never_arrives_where_its_rule_forbids_it(first, second, tmp_path):
    uploaded(first, b"x")
    first.perform(set_rules.command(SYSTEM, owner=first.project, rule=PlacementRule(countries=("AT",))))
    file = exported(first, organisation_of(first), tmp_path / "data.tar")
    answer = imported(second, file, key_of(first))
    assert answer.reason is Reason.RESIDENCY_FORBIDDEN
    assert second.store.row("organisations", organisation_of(first)) is None


def test_energy_of_its_jobs_arrives_under_the_signature_and_apart_from_our_sites(first, second, package):
    imported(second, package, key_of(first))
    rows = second.store.rows("job_energy", {"project": first.project}).rows
    there = first.store.rows("job_energy", {"project": first.project}).rows
    assert there
    assert [(row["part"], row["own_mj"]) for row in rows] == [(row["part"], row["own_mj"]) for row in there]
    assert {row["site"] for row in rows} == {f"here@{first.app.signer.name}"}
