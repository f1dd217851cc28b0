"""`eisbach scheduler`: the policy is shown and set by the operator, and by nobody else."""

import re

import pytest

from eisbach.cli.exit_codes import ExitCode
from tests.faces.cli_tools import listening, run_cli


def test_the_operator_sees_and_sets_the_policy(world, monkeypatch):
    with listening(world, monkeypatch, world.operator):
        assert "default" in run_cli("scheduler", "show").out
        assert "decides by easy" in run_cli("scheduler", "set", "easy").out
        assert "already decides by easy" in run_cli("scheduler", "set", "easy").out
        assert run_cli("scheduler", "show", "-o", "json").document()["scheduler"]["backfill"] == "easy"
        assert "decides by easy" in run_cli("scheduler", "set", "easy", "--minimum-run", "30m", "--half-life", "14d", "--notice", "2m").out
        shown = run_cli("scheduler", "show").out
        assert re.search(r"minimum run +30m 00s before", shown)
        assert re.search(r"half-life +14d 00h: usage", shown)
        for option, value in (("--half-life", "90m"), ("--half-life", "soon"), ("--minimum-run", "x"), ("--notice", "")):
            assert run_cli("scheduler", "set", "easy", option, value).code == ExitCode.USAGE
        assert run_cli("scheduler", "set", "easy", "--half-life", "1000d").code != ExitCode.OK
        assert "notice 1m 00s, minimum run 10m 00s, half-life 7d 00h" in run_cli("scheduler", "set", "easy", "--notice", "1m").out
        refused = run_cli("scheduler", "set", "lifo")
        assert refused.code != ExitCode.OK
        assert "fifo, easy, default" in refused.err


@pytest.mark.parametrize("arguments", [("show",), ("set", "fifo")])
def test_a_customer_does_not(world, monkeypatch, arguments):
    with listening(world, monkeypatch, world.ours.tokens["admin"]):
        assert run_cli("scheduler", *arguments).code != ExitCode.OK
