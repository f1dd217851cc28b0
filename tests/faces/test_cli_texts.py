"""The words of the command line: help as a golden text, docs/cli.md held to the commands, exit codes, clean terminals."""

import contextlib
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eisbach.cli import figures
from eisbach.cli.commands import ENTRIES
from eisbach.cli.errors import problem_error
from eisbach.cli.exit_codes import MEANINGS, ExitCode, code_of_job, code_of_problem
from eisbach.cli.main import load
from eisbach.cli.terminal import clean
from eisbach.core.jobs.lifecycle import Outcome
from eisbach.core.vocabulary.reasons import Reason
from tests.faces.cli_tools import run_cli

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/golden/cli_help.txt"
DOCUMENT = ROOT / "docs/cli.md"


def parts_of_the_document() -> dict[str, str]:
    """Return what docs/cli.md says below each heading `### `eisbach ...``."""
    parts = DOCUMENT.read_text(encoding="utf-8").split("\n### `eisbach ")[1:]
    return {part.partition("`")[0]: part.partition("\n")[2].partition("\n## ")[0] for part in parts}


def options_of(command) -> list[str]:
    """Return every spelling of every option but --help."""
    options = [p for p in command.params if p.param_type_name == "option" and "--help" not in p.opts]
    return [spelling for option in options for spelling in (*option.opts, *option.secondary_opts)]


def test_help_is_the_golden_text(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    commands = ["", *dict.fromkeys(e.path.split()[0] for e in ENTRIES if " " in e.path), *(e.path for e in ENTRIES)]
    texts = [f"$ eisbach {command} --help\n{run_cli(*command.split(), '--help').out}" for command in commands]
    text = "\n".join(texts).replace("eisbach  --help", "eisbach --help")
    if os.environ.get("EISBACH_GOLDEN") == "write":
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), "renew it with EISBACH_GOLDEN=write, and read the difference"


def test_the_list_of_commands_says_what_the_commands_say():
    assert {entry.path: load(entry).get_short_help_str(200) for entry in ENTRIES} == {e.path: e.help for e in ENTRIES}


def test_each_command_and_option_is_documented():
    parts = parts_of_the_document()
    assert list(parts) == [entry.path for entry in ENTRIES]
    missing = [
        f"eisbach {entry.path} {spelling}"
        for entry in ENTRIES
        for spelling in options_of(load(entry))
        if f"`{spelling}" not in parts[entry.path] and spelling not in ("-o", "--format")
    ]
    assert not missing


def test_each_exit_code_is_documented():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [code for code in ExitCode if f"| {code.value} | {MEANINGS[code]} |" not in text] == []


def test_every_printing_command_takes_a_format():
    without = [entry.path for entry in ENTRIES if "-o" not in options_of(load(entry))]
    assert without == ["project use", "data certificate", "prove residency", "audit prove", "audit export"]


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_an_exit_code(reason):
    assert code_of_problem(422, reason.value) != ExitCode.OK


def test_reasons_and_statuses_map_to_codes():
    pairs = [
        (401, "UNAUTHENTICATED", ExitCode.DENIED),
        (403, "FORBIDDEN", ExitCode.DENIED),
        (404, "NOT_FOUND", ExitCode.NOT_FOUND),
        (409, "OVER_BUDGET", ExitCode.OVER_BUDGET),
        (409, "NAME_TAKEN", ExitCode.REFUSED),
        (422, "INVALID_TASK", ExitCode.USAGE),
        (422, "NO_SUCH_FLAVOUR", ExitCode.REFUSED),
        (500, "INTERNAL_ERROR", ExitCode.FAILED),
        (503, "STORE_UNAVAILABLE", ExitCode.UNAVAILABLE),
        (503, "A_REASON_OF_TOMORROW", ExitCode.UNAVAILABLE),
        (418, None, ExitCode.FAILED),
    ]
    assert [code_of_problem(status, reason) for status, reason, _ in pairs] == [code for _, _, code in pairs]


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_has_an_exit_code(outcome):
    assert (code_of_job(outcome.value, None) == ExitCode.OK) == (outcome is Outcome.SUCCEEDED)


def test_a_jobs_own_exit_code_counts_where_it_ended_by_itself():
    assert [code_of_job("failed", code) for code in (3, 137, 256, -9)] == [3, 137, 1, 137]
    assert code_of_job("succeeded", 0) == 0
    assert code_of_job("timed_out", 143) == ExitCode.TIMED_OUT
    assert code_of_job("an outcome of tomorrow", 0) == ExitCode.FAILED


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("tab\tstays", "tab\tstays"),
        ("Grüße, 世界 🙂", "Grüße, 世界 🙂"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x07", "link"),
        ("\x1bcreset", "reset"),
        ("\x9b2Jc1", "c1"),
        ("a\x00b\x7fc\x85d", "abcd"),
        ("10%\r100%", "100%"),
        ("done\r", "done"),
        ("one\ntwo", "onetwo"),
        ("\u202eright to left\u2066", "right to left"),
        ("\x1b]0;a title that never ends", ""),
    ],
)
def test_terminals_get_clean_text(text, cleaned):
    assert clean(text) == cleaned


def test_clean_text_may_keep_its_lines():
    assert clean("a\x1b[1m\nb\r\n", keep_newlines=True) == "a\nb\n"


def test_a_problem_tells_what_happened_and_what_to_do():
    error = problem_error(404, {"detail": "there is nothing under this address. check the id", "reason": "NOT_FOUND"})
    assert error.lines() == ["error: There is nothing under this address. check the id"]
    assert error.code == ExitCode.NOT_FOUND


def test_a_problem_of_several_findings_tells_all():
    findings = [{"detail": "`cpus` is x"}, {"detail": "`run` is missing"}]
    error = problem_error(422, {"detail": "2 things are wrong", "reason": "INVALID_TASK", "errors": findings})
    assert error.lines() == ["error: The factory found 2 things wrong", "  - `cpus` is x", "  - `run` is missing"]


def test_a_problem_cannot_write_to_the_terminal():
    assert "\x1b" not in "".join(problem_error(422, {"detail": "no \x1b[2Jsuch"}).lines())


def test_a_typo_gets_the_nearest_command():
    ran = run_cli("pss")
    assert ran.code == ExitCode.USAGE
    assert "Did you mean 'ps'?" in ran.err


def test_a_bug_is_one_line_and_a_report(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("eisbach.cli.version.version", lambda: 1 / 0)
    ran = run_cli("version")
    [report] = tmp_path.iterdir()
    assert ran.code == ExitCode.FAILED
    assert ran.err == (
        f"error: This is a bug in Eisbach (ZeroDivisionError: division by zero). "
        f"The report is in {report}; please send it with what you did\n"
    )
    assert "ZeroDivisionError" in report.read_text()
    assert report.stat().st_mode & 0o077 == 0


def test_amounts_and_durations_read_well():
    assert [figures.duration(ms) for ms in (None, 0, 999, 4_250, 192_000, 3_840_000, 90_000_000)] == [
        "-", "0ms", "999ms", "4.2s", "3m 12s", "1h 04m", "1d 01h",
    ]  # fmt: skip
    assert [figures.euro_short(amount) for amount in (None, 0, 12, 750, 12_340_000)] == ["-", "0.00", "0.000012", "0.0008", "12.34"]
    assert [figures.memory(mib) for mib in (512, 1024, 7800, 65_536)] == ["512 MiB", "1 GiB", "7.6 GiB", "64 GiB"]
    assert [figures.size(count) for count in (10, 2048, 5 << 30)] == ["10 B", "2.0 KiB", "5.0 GiB"]


def test_instants_say_only_what_is_needed():
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    with contextlib.suppress(ValueError):
        assert len(figures.instant("2026-11-22T11:59:58.000Z", now)) == len("11:59:58")
    assert figures.instant("2026-03-01T11:00:00.000Z", now)[:5] == "03-01"
    assert figures.instant("2025-03-01T11:00:00.000Z", now) == "2025-03-01"
    assert figures.instant(None) == "-"


def test_parts_of_a_line_stand_in_one_line_unless_it_is_a_progress_bar():
    from eisbach.cli.follow import LinePrinter

    def line(text, is_part, rank=0):
        return {"attempt": "att_1", "number": 1, "rank": rank, "stream": "stdout", "text": text, "is_part": is_part}

    lines = [line("load", True), line("ed", False), line("10%\r20%\r", True), line("30%\r", True), line("x", True)]
    lines += [line("other", False, rank=1), line("open", True)]
    printer = LinePrinter(raw=False, is_gang=True)
    shown = "".join(printer.text(one) for one in lines) + printer.end()
    assert shown == "(0) loaded\n(0) 20%\n(0) 30%\n(0) x\n(1) other\n(0) open\n"
    printer = LinePrinter(raw=True, is_gang=False)
    assert "".join(printer.text(one) for one in lines[:4]) == "loaded\n10%\r20%\r30%\r"


@pytest.mark.parametrize(("command", "code", "words"), [
    ("version >&-", 0, ""),
    ("version >&- 2>&-", 0, ""),
    ("version > /dev/full", 1, "cannot be written"),
])  # fmt: skip
def test_outputs_that_take_nothing_are_no_bugs(command, code, words, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "EISBACH_URL": "http://127.0.0.1:9", "XDG_CONFIG_HOME": str(tmp_path)}
    shell = ["bash", "-c", f"{sys.executable} -m eisbach {command}"]
    ran = subprocess.run(shell, env=environment, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert "bug in Eisbach" not in ran.stderr
    assert words in ran.stderr
    assert ran.returncode in (code, 6)
