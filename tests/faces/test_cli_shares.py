"""`eisbach share`, `quota` and `agreement`: what the operator sets, what a customer sees, what is refused."""

import pytest

from eisbach.cli.exit_codes import ExitCode
from tests.faces.cli_tools import listening, run_cli


@pytest.fixture(scope="module")
def module_patch():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def operator(shared_world, module_patch):
    """A factory that listens; the command line is its operator's, in our project."""
    with listening(shared_world, module_patch, shared_world.operator):
        module_patch.setenv("EISBACH_PROJECT", shared_world.ours.project)
        yield shared_world


def test_what_is_set_is_listed(operator):
    organisation = operator.ours.organisation
    assert "700 among" in run_cli("share", "set", "700", "--segment", "enterprise").out
    assert "50 among" in run_cli("share", "set", "50", "--org", organisation).out
    assert "may hold 64 GPUs" in run_cli("quota", "set", "64").out
    assert "agreed to 512 GPUs at 92.5 %" in run_cli("agreement", "set", organisation, "--gpus", "512", "--price", "92.5").out
    found = {one["owner"]: one for one in run_cli("share", "list", "-o", "json").document()["shares"]}
    assert found["enterprise"]["weight"] == 700
    assert (found[organisation]["weight"], found[organisation]["agreed_gpu_milli"]) == (50, 512_000)
    ours = found[operator.ours.project]
    assert (ours["quota_gpu_milli"], ours["price_permille"], ours["parent"]) == (64_000, 925, organisation)
    assert 1 <= ours["turn"] <= ours["turns"]
    assert sum(one["due_ppm"] for one in found.values() if one["scope"] == "segment") <= 1_000_000
    quotas = run_cli("quota", "list").out
    assert "64" in quotas
    assert "512" in quotas


def test_what_was_set_can_be_taken_back(operator):
    assert "100 among" in run_cli("share", "set", "usual").out
    assert "has no quota" in run_cli("quota", "set", "none").out
    for what in ("share", "quota"):
        assert run_cli(what, "set", "7").code == ExitCode.OK
    assert "100 among" in run_cli("share", "remove").out
    assert "has no quota" in run_cli("quota", "remove").out
    assert "has a weight of 100" in run_cli("share", "remove", "--segment", "enterprise").out
    assert "0 GPUs at 100 %" in run_cli("agreement", "set", operator.ours.organisation, "--gpus", "0").out


def test_a_customer_sees_his_own(operator, monkeypatch):
    monkeypatch.setenv("EISBACH_TOKEN", operator.ours.tokens["viewer"])
    found = run_cli("share", "list", "-o", "json").document()["shares"]
    assert [one["owner"] for one in found] == [operator.ours.project]
    assert run_cli("share", "set", "700").code == ExitCode.DENIED
    monkeypatch.setenv("EISBACH_TOKEN", operator.ours.tokens["admin"])
    found = run_cli("share", "list", "-o", "json").document()["shares"]
    assert {operator.ours.organisation, operator.ours.project} <= {one["owner"] for one in found}
    assert "enterprise" not in {one["owner"] for one in found}
    assert run_cli("quota", "set", "8").code == ExitCode.OK
    assert run_cli("quota", "set", "none").code == ExitCode.OK
    assert run_cli("quota", "set", "8", "--org", operator.ours.organisation).code == ExitCode.DENIED


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (("share", "set", "much"), ExitCode.USAGE, "no whole number"),
        (("share", "set", "-1"), ExitCode.USAGE, ""),
        (("share", "set", "1", "--segment", "nobility"), ExitCode.NOT_FOUND, "nobility"),
        (("share", "set", "1", "--segment", "public", "--project", "x"), ExitCode.USAGE, "exclude"),
        (("share", "set", "2000000"), ExitCode.USAGE, "2000000"),
        (("quota", "set", "8.0001"), ExitCode.USAGE, "no number of GPUs"),
        (("quota", "set", "many"), ExitCode.USAGE, "no number of GPUs"),
        (("quota", "set", "9999999999"), ExitCode.USAGE, "no quota"),
        (("quota", "set", "8", "--org", "nobody"), ExitCode.NOT_FOUND, "nobody"),
        (("agreement", "set", "nobody", "--gpus", "8"), ExitCode.NOT_FOUND, "nobody"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(operator, command, code, words):
    ran = run_cli(*command)
    assert (ran.code, words in ran.err) == (code, True), ran.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("quota", "set", "-1"), "-1 is below 0, and no number here may be"),
        (("share", "set", "-2.5", "--segment", "research"), "-2.5 is below 0"),
        (("quota", "set", "99999999999999999999"), "99999999999999999999 GPUs are more than there can be"),
        (("share", "set", "9999999999999", "--segment", "research"), "WEIGHT 9999999999999 is more than any may be"),
        (("agreement", "set", "acme", "--gpus", "1", "--price", "9999999999999"), "--price 9999999999999 is more than any may be"),
    ],
)
def test_a_number_that_cannot_be_is_named_as_it_was_said(operator, arguments, words):
    """A negative one was an unknown option, and of a long one the first twelve digits were refused."""
    ran = run_cli(*arguments)
    assert (ran.code, words in ran.err) == (ExitCode.USAGE, True), ran.err
