"""Each command of the command line against a real API: what it prints, its documents, its exit codes."""

import json

import pytest

from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.jobs import _state_cell
from tests.faces.cli_tools import lines_of, listening, run_cli


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


READS = {
    "offers": "eisbach.offers/1",
    "promises": "eisbach.promises/1",
    "promises exaflops": "eisbach.promise/1",
    "node list": "eisbach.nodes/1",
    "node show node-a": "eisbach.node/1",
    "node maintenance list": "eisbach.closures/1",
    "scheduler show": "eisbach.scheduler/1",
    "share list": "eisbach.shares/1",
    "quota list": "eisbach.quotas/1",
    "report fragmentation": "eisbach.fragmentation/1",
    "org list": "eisbach.organisations/1",
    "project list": "eisbach.projects/1",
    "token list": "eisbach.tokens/1",
    "secret list": "eisbach.secrets/1",
    "ps": "eisbach.jobs/1",
    "status ended": "eisbach.job/1",
    "why ended": "eisbach.why/1",
    "artifacts list ended": "eisbach.artifacts/1",
    "cost": "eisbach.project-cost/1",
    "cost ended": "eisbach.job-cost/1",
    "audit verify": "eisbach.audit-verify/1",
    "version": "eisbach.version/1",
    "run --dry-run -- true": "eisbach.plan/1",
}


@pytest.mark.parametrize(("command", "format_key"), READS.items())
def test_each_read_prints_a_versioned_document(operator, command, format_key):
    words = command.split()
    before, behind = (words, []) if "--" not in words else (words[:-2], words[-2:])
    ran = run_cli(*before, "-o", "json", *behind)
    assert (ran.code, ran.err if "audit" not in command else "") == (ExitCode.OK, "")
    assert next(iter(ran.document().items())) == ("format", format_key)


@pytest.mark.parametrize("command", READS)
def test_each_read_prints_text_for_a_person(operator, command):
    ran = run_cli(*command.split())
    assert ran.code == ExitCode.OK
    assert ran.out.strip()


def test_yaml_holds_the_same_document(operator):
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(run_cli("ps", "-o", "yaml").out) == run_cli("ps", "-o", "json").document()


def test_ps_shows_jobs_newest_first(operator):
    lines = lines_of(run_cli("ps").out)
    assert lines[0].split() == ["ID", "NAME", "STATE", "N", "STARTED", "HELD", "COST", "CEILING"]
    assert [line.split()[1] for line in lines[1:]] == ["running", "ended"]
    assert lines[2].split()[2] == "succeeded"


def test_ps_of_one_state(operator):
    assert [job["name"] for job in run_cli("ps", "--state", "running", "-o", "json").document()["jobs"]] == ["running"]


def test_ps_refuses_a_state_that_is_none(operator):
    ran = run_cli("ps", "--state", "pending")
    assert ran.code == ExitCode.USAGE
    assert "'pending' is no state" in ran.err
    assert "waiting, starting, running, stopping, ended" in ran.err


def test_status_shows_attempts_with_exact_charges(operator):
    found = run_cli("status", "ended")
    assert "succeeded" in found.out
    assert "0.00075 of at most" not in found.err
    attempts = run_cli("status", "ended", "-o", "json").document()["attempts"]
    assert [attempt["held_ms"] for attempt in attempts] == [60_000]


def test_why_says_what_holds_and_what_ended(operator):
    assert run_cli("why", operator.ours.running_job).out.startswith("running is running: Attempt 1 has run for ")
    assert run_cli("why", "ended").out.startswith("ended: Succeeded at ")


def test_cost_of_a_job_is_exact(operator):
    statement = run_cli("cost", "ended", "-o", "json").document()
    ran = run_cli("cost", "ended")
    assert f"{statement['charged_eur']} EUR for {statement['charged_ms']} ms" in ran.out
    assert lines_of(ran.out)[-1].split()[-1] == statement["attempts"][0]["charged_eur"]


def test_a_job_is_found_by_name_id_and_start_of_its_id(operator):
    job = operator.ours.ended_job
    for wanted in ("ended", job, job[:-2]):
        assert run_cli("status", wanted, "-o", "json").document()["job"]["job"] == job


def test_the_start_of_several_ids_is_refused_with_the_candidates(operator):
    ran = run_cli("status", "job_")
    assert ran.code == ExitCode.USAGE
    assert operator.ours.ended_job in ran.err
    assert "Write more of the id" in ran.err


def test_of_jobs_with_one_name_the_newest_is_meant_and_told(operator):
    first, second = (operator.submit(operator.ours, name="twin") for _ in range(2))
    ran = run_cli("status", "twin", "-o", "json")
    assert ran.document()["job"]["job"] == second
    assert ran.err == f"2 jobs are named twin; this is the newest, {second} (others: {first})\n"


@pytest.mark.parametrize("command", ["status", "why", "logs", "cancel", "cost", "artifacts list", "audit prove"])
def test_an_absent_job_is_not_found(operator, command):
    ran = run_cli(*command.split(), "nonesuch")
    assert (ran.code, ran.out) == (ExitCode.NOT_FOUND, "")
    assert ran.err == "error: There is no job 'nonesuch' in project work\n  List the jobs with `eisbach ps`\n"


def test_logs_print_lines_and_json_lines(operator):
    assert run_cli("logs", "ended").out == "one\ntwo\nthree\n"
    header, *lines = map(json.loads, run_cli("logs", "ended", "-o", "json").out.splitlines())
    assert header == {"format": "eisbach.logs/1", "job": operator.ours.ended_job}
    assert [line["text"] for line in lines] == ["one", "two", "three"]


def test_following_an_ended_job_ends(operator):
    assert run_cli("logs", "-f", "ended").out == "one\ntwo\nthree\n"


def test_a_job_without_a_log_is_told_of(operator, monkeypatch):
    """After a restore it looked as if nothing had happened."""
    monkeypatch.setattr("eisbach.cli.logs._stored", lambda session, job: iter(()))
    ran = run_cli("logs", "ended")
    assert (ran.code, ran.out) == (ExitCode.OK, "")
    assert ran.err.startswith("No log is kept of this job: ")


def test_logs_cannot_be_yaml(operator):
    ran = run_cli("logs", "ended", "-o", "yaml")
    assert ran.code == ExitCode.USAGE
    assert "Use -o json" in ran.err


def test_artifacts_are_downloaded_whole(operator, tmp_path):
    ran = run_cli("artifacts", "get", "ended", "--into", str(tmp_path / "got"))
    assert ran.code == ExitCode.OK
    assert (tmp_path / "got/0/model/weights.bin").read_bytes() == b"\x00\x01" * 50_000
    assert (tmp_path / "got/0/model/a b.txt").read_bytes() == b"hello"
    assert not list((tmp_path / "got").rglob("*.part"))


def test_artifacts_are_never_written_over(operator, tmp_path):
    (tmp_path / "0/model").mkdir(parents=True)
    (tmp_path / "0/model/a b.txt").write_text("mine")
    arguments = ("artifacts", "get", "ended", "0/model/a b.txt", "--into", str(tmp_path))
    ran = run_cli(*arguments)
    assert ran.code == ExitCode.USAGE
    assert "is there already" in ran.err
    assert (tmp_path / "0/model/a b.txt").read_text() == "mine"
    assert run_cli(*arguments, "--force").code == ExitCode.OK
    assert (tmp_path / "0/model/a b.txt").read_text() == "hello"


def test_secrets_come_through_stdin_and_never_back(operator, monkeypatch):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("hunter2\n"))
    assert run_cli("secret", "set", "MINE").code == ExitCode.OK
    listed = run_cli("secret", "list")
    assert "MINE" in listed.out
    assert "hunter2" not in listed.out + listed.err
    assert run_cli("secret", "delete", "MINE").code == ExitCode.OK


def test_a_secret_on_the_command_line_is_refused_without_repeating_it(operator):
    ran = run_cli("secret", "set", "MINE=hunter2")
    assert ran.code == ExitCode.USAGE
    assert "hunter2" not in ran.out + ran.err


def test_an_organisation_a_project_and_a_token_are_made(operator):
    organisation = run_cli("org", "create", "Fresh", "--segment", "research", "-o", "json").document()["organisation"]
    assert organisation["segment"] == "research"
    project = run_cli("project", "create", "lab", "--org", "Fresh", "--budget", "0.50", "-o", "json").document()["project"]
    assert project["budget_micro_eur"] == 500_000
    assert run_cli("project", "set-budget", "lab", "--budget", "12").out == "The budget of lab is 12.00 EUR a month.\n"
    token = run_cli("token", "create", "--project", "lab", "--label", "ci", "--lifetime", "30d")
    assert token.code == ExitCode.OK
    assert token.out.startswith("eis_")
    assert token.out.strip() not in token.err
    made = run_cli("token", "create", "--project", "lab", "-o", "json").document()["token"]
    assert run_cli("token", "revoke", made["token"]).code == ExitCode.OK


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ("cheap", "'cheap' is not an amount in euro"),
        ("0.0000001", "more than six decimals"),
        ("-3", "is negative"),
    ],
)
def test_a_budget_that_is_none_is_refused(operator, budget, words):
    ran = run_cli("project", "create", "lab", f"--budget={budget}")
    assert ran.code == ExitCode.USAGE
    assert words in ran.err


def test_the_proof_of_a_job_is_checked_offline(operator, tmp_path):
    bundle = tmp_path / "proof.json"
    assert run_cli("audit", "prove", "ended", "--out", str(bundle)).code == ExitCode.OK
    ran = run_cli("audit", "verify", "--bundle", str(bundle))
    assert ran.code == ExitCode.OK
    assert ran.out.startswith("VERIFIED: ")
    assert "The key was taken from the bundle itself" in ran.err
    key = json.loads(bundle.read_text())["key"]
    assert run_cli("audit", "verify", "--bundle", str(bundle), "--key", key).err == ""


def test_an_export_is_complete_and_damage_is_found(operator, tmp_path):
    bundle = tmp_path / "log.jsonl"
    assert run_cli("audit", "export", "--out", str(bundle)).code == ExitCode.OK
    found = run_cli("audit", "verify", "--bundle", str(bundle), "-o", "json").document()
    assert (found["is_verified"], found["is_complete"]) == (True, True)
    lines = bundle.read_text().splitlines(keepends=True)
    bundle.write_text("".join(lines[:-1]))
    ran = run_cli("audit", "verify", "--bundle", str(bundle))
    assert (ran.code, ran.out) == (ExitCode.FAILED, f"FAILED: the bundle is cut: {len(lines) - 2} events of {len(lines) - 1}\n")


def test_a_wrong_key_verifies_nothing(operator, tmp_path):
    other = "factory.test/log+00000000+AQ=="
    ran = run_cli("audit", "verify", "--key", other)
    assert ran.code == ExitCode.FAILED
    assert ran.out.startswith("FAILED: ")


def test_nodes_are_cordoned_lost_and_repaired_and_their_history_tells_it(operator):
    assert run_cli("node", "cordon", "node-*", "--reason", "a look inside").out.startswith("node-a: cordoned")
    assert "It was so before." in run_cli("node", "cordon", "--site", "here").out
    assert "cordoned" in run_cli("node", "list").out
    assert run_cli("node", "uncordon", "node-a").out == "node-a: in use again.\n"
    assert run_cli("node", "lost", "node-a", "--reason", "no light").out.startswith("node-a: lost")
    shown = run_cli("node", "show", "node-a").out
    assert "lost, operator, since" in shown
    assert "no light" in shown
    assert run_cli("node", "repair", "node-a").out == "node-a: healthy.\n"
    history = run_cli("node", "show", "node-a", "-o", "json").document()["node"]["history"]
    assert [(one["what"], one["by_label"]) for one in history][:2] == [("healthy", "first"), ("lost", "first")]
    shown = run_cli("node", "show", "node-a").out
    assert ("first" in shown, history[0]["by"] in shown) == (True, False)


def test_a_window_is_announced_listed_and_cancelled(operator):
    announced = run_cli("node", "maintain", "node-a", "--from", "6h", "--for", "2h", "--reason", "fans", "-o", "json").document()["closure"]
    assert (announced["kind"], announced["nodes"]) == ("maintenance", ["node-a"])
    listed = run_cli("node", "maintenance", "list").out
    assert announced["closure"] in listed
    assert "fans" in listed
    assert announced["closure"] in run_cli("node", "show", "node-a").out
    refused = run_cli("node", "drain", "node-a", "--by", "7h")
    assert refused.code != ExitCode.OK
    assert announced["closure"] in refused.err
    assert run_cli("node", "maintenance", "cancel", announced["closure"]).out.endswith("nothing changes for 1 node.\n")
    assert run_cli("node", "maintenance", "list").out == "No node is to be closed.\n"
    assert announced["closure"] in run_cli("node", "maintenance", "list", "--all").out
    drained = run_cli("node", "drain", "node-a", "--by", "7h")
    assert drained.out.startswith("1 node will be empty by ")
    closure = drained.out.split("(")[1].split(")")[0]
    assert run_cli("node", "maintenance", "cancel", closure).code == ExitCode.OK


@pytest.mark.parametrize(
    "words",
    [
        "node cordon",
        "node drain node-9",
        "node drain node-a --by yesterday",
        "node drain node-a --by 2020-01-01T00:00",
        "node maintain node-a",
        "node maintain node-a --for 0s",
        "node maintain node-a --for soon",
        "node maintenance cancel close_none",
        "node show node-9",
    ],
)
def test_what_cannot_be_done_with_nodes_is_refused_in_a_sentence(operator, words):
    ran = run_cli(*words.split())
    assert ran.code not in (ExitCode.OK, 1)
    assert "Traceback" not in ran.err
    assert len(ran.err.splitlines()) <= 4


def test_a_node_is_drained_and_used_again(operator):
    assert run_cli("node", "drain", "node-a").out.startswith("Node node-a is drained: nothing more starts there. ")
    assert "drain" in run_cli("node", "list").out
    assert run_cli("node", "resume", "node-a").code == ExitCode.OK


def test_a_job_is_cancelled(operator):
    job = operator.submit(operator.ours, name="unwanted")
    ran = run_cli("cancel", "unwanted")
    assert ran.code == ExitCode.OK
    assert "unwanted is" in ran.out
    assert job


def test_ps_says_when_who_was_given_notice_will_be_asked_to_stop():
    job = {"state": "stopping", "outcome": "", "reason": "PREEMPTED", "simulated": False, "signal_at": "2999-07-01T12:00:00.000Z"}
    assert _state_cell(job) == "stops at 2999-07-01: preempted"
    assert _state_cell({**job, "signal_at": "2001-07-01T12:00:00.000Z"}) == "stopping: preempted"
    assert _state_cell({**job, "signal_at": None}) == "stopping: preempted"


@pytest.mark.parametrize("number", ["nan", "inf", "1e400"])
def test_a_cap_that_is_no_number_is_said_before_anything_is_sent(number):
    ran = run_cli("site", "cap", "here", "--kw", number)
    assert ran.code == ExitCode.USAGE
    assert "but must be a number of kilowatts" in ran.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--kw", "1e300"), "A cap of 1e+300 kW cannot be one. Give 0 to 10,000,000 kW"),
        (("--kw", "5", "--until", "1970-01-01T00:00:00Z"), "The cap would end before it begins"),
        (("--kw", "5", "--until", "1969-01-01T00:00:00Z"), "The cap would end before it begins"),
        (("--kw", "5", "--until", ""), "is no instant"),
    ],
)
def test_a_cap_that_cannot_be_is_refused_with_what_was_said(operator, arguments, words):
    """An end in 1970 was none: the cap held until somebody lifted it."""
    ran = run_cli("site", "cap", "here", *arguments)
    assert (ran.code != ExitCode.OK, words in ran.err) == (True, True), ran.err
    assert operator.application.ask(lambda state, now: dict(state.energy.caps)).result() == {}
