"""`eisbach run`: what is asked, what is sent, what is followed, how it ends, and what Ctrl-C and a lost factory do."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.run_options import RunOptions, task_with
from eisbach.core.vocabulary.quantities import MINUTE_MS
from eisbach.ports.engine import Ending
from tests.faces.cli_tools import listening, run_cli

ROOT = Path(__file__).parents[2]


@pytest.fixture
def member(world, monkeypatch):
    """A factory that listens; the command line is a member's of our project."""
    with listening(world, monkeypatch, world.ours.tokens["member"]) as server:
        world.server = server
        yield world


def play(world, *lines, ending=Ending.EXITED, exit_code=0):
    """Let the next new job run, write and end."""
    with world.engine.ordered:
        known = set(world.engine.orders)
        assert world.engine.ordered.wait_for(lambda: set(world.engine.orders) - known, timeout=20)
        attempt = max(set(world.engine.orders) - known)
    since = world.clock.now()
    world.engine.run(attempt, since)
    world.engine.say(attempt, *lines)
    world.clock.advance(MINUTE_MS)
    world.engine.end(attempt, since, MINUTE_MS, ending, exit_code)


def run_and_play(world, *arguments, **how):
    with ThreadPoolExecutor(1) as pool:
        played = pool.submit(play, world, **how) if "lines" not in how else pool.submit(play, world, *how.pop("lines"), **how)
        ran = run_cli("run", "-y", *arguments)
        played.result()
    return ran


def test_a_job_is_planned_run_followed_and_told(member):
    ran = run_and_play(member, "--name", "hello", "--time-limit", "10m", "--", "echo", "hello world", lines=["hello world"])
    assert (ran.code, ran.out) == (ExitCode.OK, "hello world\n")
    for words in ("at most", "0.007875 EUR", "here, DE", "start    now", "hello succeeded after 1 attempt, charged 0.00075 EUR."):
        assert words in ran.err


def test_how_near_nodes_shall_be_is_said_with_options_too(member, tmp_path):
    plan = run_cli("run", "--dry-run", "--within", "rack", "-o", "json", "--", "true")
    assert plan.code == ExitCode.OK, plan.err
    wrong = run_cli("run", "--dry-run", "--within", "town", "--", "true")
    assert (wrong.code, "town" in wrong.err, "nvlink, rack, row, hall" in wrong.err) == (ExitCode.USAGE, True, True)
    alone = run_cli("run", "--dry-run", "--within-required", "--", "true")
    assert (alone.code, "none is said" in alone.err) == (ExitCode.USAGE, True)
    for of_file, said in ((None, "row"), ("rack", {"level": "rack", "required": True}), ({"level": "hall"}, {"level": "hall", "required": True})):
        base = {"run": "true"} if of_file is None else {"run": "true", "within": of_file}
        options = RunOptions(within="row") if of_file is None else RunOptions(is_within_required=True)
        assert task_with(base, options)["within"] == said
    assert task_with({"within": "rack"}, RunOptions(within="row", is_within_required=True))["within"] == {"level": "row", "required": True}
    assert task_with({"within": "rack"}, RunOptions())["within"] == "rack"


@pytest.mark.parametrize(
    ("ending", "exit_code", "code"),
    [
        (Ending.FAILED, 3, 3),
        (Ending.FAILED, 139, 139),
        (Ending.TIMED_OUT, 143, ExitCode.TIMED_OUT),
        (Ending.OUT_OF_MEMORY, 137, ExitCode.OUT_OF_MEMORY),
    ],
)
def test_the_exit_code_is_the_jobs(member, ending, exit_code, code):
    ran = run_and_play(member, "--", "false", ending=ending, exit_code=exit_code)
    assert ran.code == code
    assert "Why: `eisbach why job_" in ran.err


def test_with_json_the_log_goes_to_stderr_and_the_end_to_stdout(member):
    ran = run_and_play(member, "-o", "json", "--", "true", lines=["a line"])
    found = ran.document()
    assert (found["format"], found["outcome"], found["exit_code"]) == ("eisbach.run/1", "succeeded", 0)
    assert "a line\n" in ran.err


def test_what_a_tenant_writes_cannot_move_the_cursor(member):
    lines = ["\x1b[2Jred \x1b[31malert\x1b[0m", "10%\r20%\r30%", "\x1b]0;title\x07x", "\u202eevil"]
    ran = run_and_play(member, "--", "true", lines=lines)
    assert ran.out == "red alert\n30%\nx\nevil\n"


def test_lines_of_a_gang_name_their_task(member):
    ran = run_and_play(member, "--num-nodes", "2", "--", "true", lines=["a line"])
    assert ran.out == "(0) a line\n"


def test_without_a_terminal_and_without_yes_nothing_starts(member):
    before = set(member.engine.orders)
    ran = run_cli("run", "--", "true")
    assert ran.code == ExitCode.REFUSED
    assert "Say yes beforehand with -y" in ran.err
    assert set(member.engine.orders) == before


def test_detached_prints_the_id_alone(member):
    ran = run_cli("run", "-y", "-d", "--", "true")
    assert ran.code == ExitCode.OK
    assert member.engine.attempt_of(ran.out.strip())


def test_options_stand_over_the_file(member, tmp_path):
    (tmp_path / "task.yaml").write_text("name: from-file\nrun: echo file\nenvs: {A: 1, B: 2}\nresources: {cpus: 2}\ntime_limit: 10m\n")
    ran = run_cli(
        "run", "--name", "mine", "--cpus", "4", "--env", "B=3", "-o", "json", "-y", "-d", str(tmp_path / "task.yaml")
    )
    job = ran.document()["job"]
    found = run_cli("status", job, "-o", "json").document()["job"]
    assert (found["name"], found["task"]["run"]) == ("mine", "echo file")
    order = member.engine.orders[member.engine.attempt_of(job)]
    assert dict(order.envs) == {"A": "1", "B": "3"}
    assert order.tasks[0].cpu_milli == 4000


def test_the_working_directory_is_packed_and_sent(member, tmp_path):
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "main.py").write_text("print(1)")
    ran = run_cli("run", "--workdir", str(folder), "-y", "-d", "--", "python", "main.py")
    assert ran.code == ExitCode.OK
    assert "Sending" in ran.err
    assert "1 file," in ran.err
    assert member.engine.orders[member.engine.attempt_of(ran.out.strip())].workdir is not None


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), ExitCode.USAGE, "There is nothing to run"),
        (("missing.yaml",), ExitCode.USAGE, "missing.yaml cannot be read"),
        (("x.yaml", "--", "true"), ExitCode.USAGE, "A task file and a command were both given"),
        (("--cpus", "many", "--", "true"), ExitCode.USAGE, "`resources.cpus` is 'many'"),
        (("--env", "1X=2", "--", "true"), ExitCode.USAGE, "--env is not followed by the name of a variable"),
        (("--workdir", "nonesuch", "--", "true"), ExitCode.USAGE, "`workdir` names nonesuch, which is no folder"),
        (("--retry", "x", "--", "true"), ExitCode.USAGE, "'x' is not a valid int"),
        (("--gpus", "H100:8", "--", "true"), ExitCode.REFUSED, "H100"),
        (("--cpus", "1000", "--", "true"), ExitCode.REFUSED, "1000"),
        (("--cpus", "60", "--time-limit", "30d", "--", "true"), ExitCode.OVER_BUDGET, "100.00 EUR a month"),
    ],
)
def test_what_is_refused_is_told_and_nothing_starts(member, arguments, code, words):
    before = set(member.engine.orders)
    ran = run_cli("run", "-y", "-d", *arguments)
    assert words in ran.err
    assert (ran.code, ran.out) == (code, "")
    assert "Traceback" not in ran.err
    assert set(member.engine.orders) == before


def test_all_mistakes_of_a_file_are_told_at_once(member, tmp_path):
    (tmp_path / "task.yaml").write_text("nam: x\nrun: true\nnum_nodes: -1\nimage_id: docker:x\n")
    ran = run_cli("run", "-y", str(tmp_path / "task.yaml"))
    assert ran.code == ExitCode.USAGE
    assert "task.yaml has 4 mistakes" in ran.err
    assert "Did you mean `name`?" in ran.err


def test_several_words_reach_the_shell_exactly_and_one_as_it_stands(member):
    for words, line in ((["echo", "a  b", "$HOME"], "echo 'a  b' '$HOME'"), (["echo $HOME && ls"], "echo $HOME && ls")):
        job = run_cli("run", "-y", "-d", "--", *words).out.strip()
        assert member.engine.orders[member.engine.attempt_of(job)].run == line


def test_the_log_goes_on_where_it_stopped_when_the_factory_was_away(member):
    job = member.ours.running_job
    attempt = member.engine.attempt_of(job)
    member.engine.say(attempt, "before")
    with ThreadPoolExecutor(1) as pool:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "eisbach", "logs", "-f", job]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "before\n"
            member.server.stop()
            member.engine.say(attempt, "while away")
            told = pool.submit(process.stderr.readline).result(20)
            assert told.startswith("The factory went away; the job does not depend on it.")
            member.server.start()
            assert process.stdout.readline() == "while away\n"
            member.engine.say(attempt, "after")
            assert process.stdout.readline() == "after\n"
            since = member.clock.now()
            member.engine.end(attempt, since, MINUTE_MS)
            out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "")
    assert err == "The factory is back; the log goes on where it stopped.\n"


def test_ctrl_c_detaches_and_the_job_goes_on(member):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    # what a shell starts in the background has the signal ignored, and so have the tests and all they start
    hearing = ["env", "--default-signal=INT"]
    command = [*hearing, sys.executable, "-m", "eisbach", "run", "-y", "--name", "long", "--", "sleep", "1000"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        with member.engine.ordered:
            known = {member.engine.attempt_of(member.ours.running_job), member.ours.attempt}
            ours = {order.attempt_id for order in member.engine.orders.values() if order.project_id == member.ours.project}
            assert ours >= known
            assert member.engine.ordered.wait_for(
                lambda: any(order.job_name == "long" for order in member.engine.orders.values()), timeout=20
            )
            attempt = next(one.attempt_id for one in member.engine.orders.values() if one.job_name == "long")
        member.engine.run(attempt, member.clock.now())
        member.engine.say(attempt, "working")
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "No longer watching; long goes on. Come back with `eisbach logs -f job_" in err
    assert "Traceback" not in err
    assert run_cli("status", "long", "-o", "json").document()["job"]["state"] == "running"


@pytest.mark.parametrize(("answer", "code", "starts"), [("n", ExitCode.REFUSED, False), ("y", ExitCode.OK, True)])
def test_a_person_is_asked_before_the_start(member, answer, code, starts):
    before = set(member.engine.orders)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb"}
    command = [sys.executable, "-m", "eisbach", "run", "-d", "--", "true"]
    with subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(ours, 4096)
        os.write(ours, f"{answer}\n".encode())
        with contextlib.suppress(OSError):  # how a terminal says that its last program ended
            while piece := os.read(ours, 4096):
                shown += piece
        assert process.wait(20) == code
    os.close(ours)
    assert b"at most  1.080375 EUR over all attempts" in shown
    assert bool(set(member.engine.orders) - before) == starts
