"""The proof of where a job was: what it says, what it leaves out, and that nobody changes, drops or swaps anything in it."""

import json
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from eisbach.app import prove_residency, use_target
from eisbach.app.audit_places import audit_places
from eisbach.app.commands import SYSTEM
from eisbach.app.rounds import Round
from eisbach.cli.residency_check import ProofWrong, check_residency
from eisbach.core.jobs.placement import PlacementRule
from eisbach.core.vocabulary.reasons import Refusal
from tests.app.factory import a_job, new_factory
from tests.app.test_data_sets import TEND, copied, put
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

SCRIPT = Path(__file__).parents[2] / "scripts" / "verify_residency.py"
AUDIT = Round("audit-places", 1, audit_places)


@pytest.fixture
def factory(tmp_path):
    """Four sites; the factory's own is Munich."""
    made = new_factory(tmp_path, site=MUNICH)
    put_sites(made, MUNICH, ASHBURN, LISBON, VIENNA)
    return made


def proof_of(factory, job):
    found = []
    factory.run_rounds(Round("prove", 1, lambda app: found.append(prove_residency.bundle(app, SYSTEM, job))))
    assert not isinstance(found[0], Refusal), found[0]
    return found[0]


def checked(proof):
    return check_residency(lambda: [json.dumps(proof).encode()], None)


def by_script(proof, folder):
    file = folder / "proof.json"
    file.write_text(json.dumps(proof))
    done = subprocess.run([sys.executable, SCRIPT, file], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def a_told_life(factory):
    """A job under rules of organisation, project and its own; a stranger with rules and work; a backup in Vienna."""
    other, other_project = another_tenant(factory, "stranger")
    set_rule(factory, other, countries=("DE", "AT", "PT"))
    factory.submit(a_job("sleep 5"), project=other_project)
    set_rule(factory, organisation_of(factory), countries=("DE", "AT"))
    set_rule(factory, factory.project, parent_countries=("AT", "DE"))
    job = factory.submit(a_job("sleep 100", placement=PlacementRule(countries=("AT",))))
    factory.perform(use_target.command(SYSTEM, use="backup", site="vienna"))
    factory.pass_time(200_000)
    return job, other, other_project


def data_of(leaf):
    return json.loads(b64decode(leaf["data"]))


def test_a_proof_says_where_by_which_rules_and_where_its_traces_are(factory, tmp_path):
    job, *_ = a_told_life(factory)
    proof = proof_of(factory, job)
    found = checked(proof)
    assert found.statement == proof["residency"], "the statement in the file is what its events give"
    (stay,) = found.statement["stays"]
    assert (stay["site"], stay["country"], stay["operator"], stay["simulated"]) == ("vienna", "AT", "vienna operator", True)
    assert [rule["scope"] for rule in found.statement["rules"]] == ["organisation", "project", "job"]
    assert stay["rules"] == [rule["position"] for rule in found.statement["rules"]]
    assert [(one["what"], one["site"]) for one in found.statement["kept"]] == [("log", "munich"), ("backup", "vienna")]
    assert found.statement["is_clean"]
    assert any(line.startswith("No violation between log positions") for line in found.statement["text"])
    assert any("nothing here measures a location" in line for line in found.statement["does_not_prove"])
    code, said = by_script(proof, tmp_path)
    assert code == 0, said
    assert f"VERIFIED no rule of job {job} was broken" in said


def test_nothing_of_other_tenants_is_in_it(factory):
    job, other, other_project = a_told_life(factory)
    text = "".join(b64decode(leaf["data"]).decode() for leaf in proof_of(factory, job)["leaves"])
    assert other not in text
    assert other_project not in text
    assert "stranger" not in text
    assert "usage.settled" not in text


def test_a_moved_job_tells_both_places_and_the_violation(factory, tmp_path):
    set_rule(factory, factory.project, operator_countries=("DE", "AT"))
    job = factory.submit(a_job("sleep 100"))
    factory.pass_time(10_000)
    change_site(factory, "munich", operator_country="US", parent_country="US")
    factory.run_rounds(AUDIT)
    factory.pass_time(200_000)
    proof = proof_of(factory, job)
    found = checked(proof).statement
    assert [stay["site"] for stay in found["stays"]] == ["munich", "vienna"]
    assert not found["is_clean"]
    assert found["violations"]
    assert found["stays"][0]["reasons"][0].startswith("the operator of munich has its seat in US; the project")
    assert found["stays"][0]["operator_country"] == "DE", "the facts of the day it was placed"
    code, said = by_script(proof, tmp_path)
    assert code == 1
    assert "FAILED: a rule was broken" in said


def changed_country(proof):
    for leaf in proof["leaves"]:
        if data_of(leaf)["kind"] == "site.declared" and data_of(leaf)["body"]["site"] == "vienna":
            leaf["data"] = b64encode(b64decode(leaf["data"]).replace(b'"country":"AT"', b'"country":"DE"')).decode()


def missing_event(proof):
    proof["leaves"] = [leaf for leaf in proof["leaves"] if data_of(leaf)["kind"] != "rule.set"]
    proof["leaf_count"] = len(proof["leaves"])


def swapped_node(proof):
    for leaf in proof["leaves"]:
        if data_of(leaf)["kind"] == "attempt.planned":
            leaf["data"] = b64encode(b64decode(leaf["data"]).replace(b"vienna-0", b"munich-0")).decode()


def nobody_states_it(proof):
    proof["leaves"] = proof["leaves"][:-1]
    proof["leaf_count"] -= 1


def another_key(proof):
    proof["key"] = proof["key"][:-6] + "AAAAA="


def cut(proof):
    proof["leaves"] = proof["leaves"][:-3]


@pytest.mark.parametrize("tamper", [changed_country, missing_event, swapped_node, nobody_states_it, another_key, cut])
def test_whoever_changes_anything_is_found_out_by_both_checks(factory, tmp_path, tamper):
    job, *_ = a_told_life(factory)
    proof = proof_of(factory, job)
    tamper(proof)
    with pytest.raises(ProofWrong):
        checked(proof)
    code, said = by_script(proof, tmp_path)
    assert code == 1
    assert "FAILED" in said


def test_a_true_event_that_does_not_belong_there_is_found_out(factory, tmp_path):
    """A leaf of the same log, with its true proof, in the place of the rule that held: an earlier rule, say."""
    job, *_ = a_told_life(factory)
    proof = proof_of(factory, job)
    factory.perform(use_target.command(SYSTEM, use="log", site="vienna"))
    later = proof_of(factory, job)
    extra = next(leaf for leaf in later["leaves"] if data_of(leaf)["body"].get("use") == "log")
    stated = later["leaves"].pop()
    later["leaves"] = [leaf for leaf in later["leaves"] if leaf is not extra] + [stated]
    later["leaf_count"] = len(later["leaves"])
    with pytest.raises(ProofWrong, match="is missing"):
        checked(later)
    assert by_script(later, tmp_path)[0] == 1
    assert checked(proof)


def test_what_is_no_proof_is_refused_in_words(tmp_path):
    for content in (b"", b"{}", b"[]", b'{"format": "eisbach-audit-bundle/1"}', b"\xff"):
        with pytest.raises(ProofWrong):
            check_residency(lambda content=content: [content], None)


def test_a_job_that_is_not_there_has_no_proof(factory):
    found = []
    factory.run_rounds(Round("prove", 1, lambda app: found.append(prove_residency.bundle(app, SYSTEM, "job_absent"))))
    assert isinstance(found[0], Refusal)


def test_a_job_without_rules_says_so(factory):
    job = factory.submit(a_job("sleep 1"))
    factory.pass_time(5_000)
    assert "No rule limits where it may be." in checked(proof_of(factory, job)).statement["text"]


def test_the_data_that_a_job_reads_is_in_its_proof_with_rules_copies_and_violations(factory, tmp_path):
    data_set = put(factory, countries=("AT", "DE"))
    copied(factory, data_set, "vienna")
    factory.run_rounds(TEND)
    job = factory.submit(a_job("sleep 5", data=(("flow", data_set),)))
    factory.pass_time(10_000)
    proof = proof_of(factory, job)
    found = checked(proof).statement
    assert found["is_clean"], found["text"]
    assert [rule["scope"] for rule in found["rules"]] == ["data_set"]
    kept = [(one["what"], one["subject"], one["site"]) for one in found["kept"]]
    assert kept == [("log", "munich", "munich"), ("data_set", data_set, "munich"), ("data_set", data_set, "vienna")]
    assert by_script(proof, tmp_path)[0] == 0
    change_site(factory, "vienna", country="CH")
    factory.run_rounds(AUDIT)
    later = proof_of(factory, job)
    found = checked(later).statement
    assert found["violations"]
    assert not found["is_clean"]
    code, said = by_script(later, tmp_path)
    assert code == 1
    assert f"data set {data_set} is kept" in said
