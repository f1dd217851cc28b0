"""Random stories of a factory; what DESIGN calls its invariants is checked on the way, and that everything ends."""

from collections import Counter

import pytest

from tests.app.invariants import check_all, check_step, events_of
from tests.app.random_factory import RandomFactory

SEEDS = range(40)
STEPS = 80
MANY_SEEDS = range(1000, 1300)
MANY_STEPS = 250


def play(folder, seed, steps):
    """Play a story to its end; a failure shows the seed and what happened last."""
    story = RandomFactory(folder, seed)
    try:
        for number in range(steps):
            story.step()
            check_step(story.factory)
            if number % 25 == 24:
                check_all(story.factory)
        story.finish()
        check_all(story.factory)
        left = story.factory.app.applier.state.scheduler.jobs
        assert not left, f"without an obstacle every job ends: {list(left.values())}"
    except BaseException as error:
        error.add_note(f"seed {seed}, the last of {len(story.trace)} steps:\n" + "\n".join(story.trace[-12:]))
        raise
    return story


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_story_keeps_every_invariant(tmp_path, seed):
    play(tmp_path, seed, STEPS)


@pytest.mark.prove
def test_many_long_stories_keep_every_invariant(tmp_path):
    """About 300 stories of 250 steps; every failure is printed, not only the first."""
    violations, events, kinds = [], 0, Counter()
    for seed in MANY_SEEDS:
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            story = play(folder, seed, MANY_STEPS)
        except Exception as error:  # noqa: BLE001 (collected and reported together)
            violations.append((seed, repr(error)[:300], getattr(error, "__notes__", [""])[-1]))
            continue
        log = events_of(story.factory)
        events += len(log)
        kinds.update(one.kind for one in log)
    print(f"{len(MANY_SEEDS)} seeds, {events} events, {len(violations)} violations")  # shown with -rP
    print(", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())))
    assert not violations, "\n\n".join(f"seed {seed}: {error}\n{note}" for seed, error, note in violations)
