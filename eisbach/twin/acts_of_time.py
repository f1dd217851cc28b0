"""Time passes in a story, rounds run, and its process ends: in order, or at a named point between two steps."""

from collections.abc import Callable, Mapping

from eisbach.app import cancel_job
from eisbach.app.commands import SYSTEM
from eisbach.core.vocabulary.interval import month_end
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from eisbach.twin.story import POINTS, Story


def pass_time(story: Story) -> str:
    """Let some time pass, from nothing to a night."""
    length = story.chance.choice([0, 1, SECOND_MS, MINUTE_MS, 20 * MINUTE_MS, HOUR_MS, 9 * HOUR_MS])
    story.pass_ms(length)
    return f"{length} ms"


def turn_month(story: Story) -> str:
    """Go to the edge of a month, sometimes over it."""
    now = story.world.now
    story.pass_ms(month_end(now) - now + story.chance.choice([-HOUR_MS, -1, 0, 1, HOUR_MS, DAY_MS]))
    return rounds(story) if story.chance.random() < 0.6 else "without a round"


def rounds(story: Story) -> str:
    """Every round runs once."""
    story.run_rounds()
    return ""


def restart(story: Story) -> str:
    """The process ends in order and begins anew."""
    story.world.stop()
    story.begin_anew()
    return "in order"


def crash(story: Story) -> str:
    """The process will end at a named point, soon or not at all; or it ends while it begins."""
    point = story.chance.choice(POINTS)
    story.end_at(point, story.chance.choice([1, 1, 1, 2, 3]))
    if point.startswith("recover"):
        story.begin_anew()
    elif point.startswith("settle"):  # else the hour is seldom full while it is armed
        story.pass_ms(2 * HOUR_MS)
        story.run_rounds()
    elif "stop" in point:  # else nobody is stopped while it is armed
        _stop_somebody(story)
    return point


def _stop_somebody(story: Story) -> None:
    holding = sorted(job.job for job in story.world.state.scheduler.holding.values())
    if holding:
        story.perform(cancel_job.command(SYSTEM, job=story.chance.choice(holding)))


ACTS: Mapping[Callable[[Story], str], int] = {pass_time: 30, turn_month: 4, rounds: 12, restart: 2, crash: 14}
