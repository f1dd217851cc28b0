"""The explorer: what it tries, what it repeats, and that it finds bugs that are known to be there."""

import logging
import os
import subprocess
import sys

import pytest

from eisbach.twin.explore import Explored, explore, play
from eisbach.twin.story import POINTS
from tests.faces.cli_tools import ROOT, run_cli
from tests.twin.planted import PLANTED

SEEDS = range(1, 26)
MANY_SEEDS = range(1, 201)
PLANTED_WRONG = ("AttributeError: ", "ImportError: ", "KeyError: ", "NameError: ", "TypeError: ")
QUICK = ("gang_in_part", "charge_for_our_fault", "node_used_while_drained", "row_not_written", "gpu_held_twice")


@pytest.fixture(autouse=True)
def silence():
    """What breaks on purpose is told at length otherwise."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def told_of(explored: Explored) -> str:
    return "\n\n".join(
        f"seed {told.seed}: {[one.what for one in told.violations[:3]]}\n" + "\n".join(told.trace[-12:]) for told in explored.failing
    )


def found_by(seeds) -> int | None:
    """The first seed that finds anything; a bug that only breaks the program it is planted in was never there to be found."""
    for seed in seeds:
        found = [one.what for one in play(seed).violations]
        assert not [what for what in found if what.startswith(PLANTED_WRONG)]
        if found:
            return seed
    return None


def test_small_factories_keep_every_invariant():
    explored = explore(SEEDS)
    assert not explored.violations, told_of(explored)
    assert explored.seeds == len(SEEDS)
    assert explored.full_checks > len(SEEDS)
    assert len(explored.points) > len(POINTS) // 2, "worlds end in many places"


@pytest.mark.prove
def test_many_small_factories_keep_every_invariant_and_meet_everything():
    explored = explore(MANY_SEEDS)
    assert not explored.violations, told_of(explored)
    assert explored.never["transitions"] == []
    assert explored.never["crash_points"] == []
    print(f"{explored.seeds} seeds, {explored.events} events, never hit: {explored.never}")  # shown with -rP


def test_a_seed_repeats_its_story():
    first, again = play(3), play(3)
    assert (first.trace, first.log_root, first.events) == (again.trace, again.log_root, again.events)
    assert play(4).log_root != first.log_root


@pytest.mark.prove
def test_a_seed_repeats_its_story_in_another_process():
    program = "import logging; logging.disable(50); from eisbach.twin.explore import play; print(play(5).log_root)"
    roots = {
        subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=120,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": salt},
        ).stdout
        for salt in ("1", "2", "3")
    }  # fmt: skip
    assert len(roots) == 1


@pytest.mark.parametrize("bug", QUICK)
def test_a_planted_bug_is_found_soon(bug, monkeypatch):
    PLANTED[bug](monkeypatch)
    assert found_by(range(1, 21)) is not None, PLANTED[bug].__doc__


@pytest.mark.prove
@pytest.mark.parametrize("bug", PLANTED)
def test_each_planted_bug_is_found_within_200_seeds(bug, monkeypatch):
    PLANTED[bug](monkeypatch)
    seed = found_by(MANY_SEEDS)
    assert seed is not None, PLANTED[bug].__doc__
    print(f"{bug}: found by seed {seed}")  # shown with -rP


def test_there_are_twelve_planted_bugs_at_least():
    assert len(PLANTED) >= 12


def test_the_last_line_says_what_was_tried_and_what_was_not():
    ran = run_cli("twin", "explore", "--seeds", "1..2")
    assert ran.code == 0
    last = ran.out.splitlines()[-1]
    assert last.startswith("simulated: 2 seeds, ")
    assert " 0 violations, " in last
    assert all(f"{what} " in last for what in ("never hit: transitions", "reasons", "crash points"))
    document = run_cli("twin", "explore", "--seeds", "2", "--steps", "5", "--json").document()
    assert (document["format"], document["label"], document["seeds"]) == ("eisbach.twin-explored/1", "simulated", 1)


def test_a_failing_seed_is_printed_with_the_command_that_repeats_it(monkeypatch):
    PLANTED["row_not_written"](monkeypatch)
    ran = run_cli("twin", "explore", "--seeds", "1..3", "--steps", "30")
    assert ran.code == 1
    assert "repeat it: eisbach twin explore --seeds 1..1 --steps 30" in ran.out


@pytest.mark.parametrize("said", ["", "x", "3..1", "1..", "-1..2", "1..2..3", "1..10000000", "²"])
def test_seeds_that_are_none_are_refused(said):
    ran = run_cli("twin", "explore", "--seeds", said)
    assert (ran.code, "1..200" in ran.err) == (2, True)
