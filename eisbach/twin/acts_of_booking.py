"""What happens about bookings in a story: quotes, options held and let go, bookings made, used, extended and cancelled."""

from collections.abc import Callable, Mapping

from eisbach.app import (
    book_capacity,
    cancel_booking,
    extend_booking,
    hold_option,
    quote_capacity,
    set_budget,
    submit_job,
)
from eisbach.app.commands import SYSTEM
from eisbach.app.quote_capacity import Wanted
from eisbach.core.jobs.request import CapacityClass, CheckpointRule, JobSpec, NodeShape, RetryRule
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.twin.story import Story

NONE = "bkg_none"
HOLDS_TRIED = 6
"""More options than a project may have kept at a time by the rules that nobody changed."""


def quote(story: Story) -> str:
    """Somebody asks what a window costs."""
    chance, world = story.chance, story.world
    nodes = world.state.scheduler.fleet.nodes
    flavour = nodes[chance.choice(sorted(nodes))].flavour
    from_ms = chance.choice([None, None, world.now + HOUR_MS, world.now + 2 * DAY_MS, world.now - HOUR_MS])
    wanted = Wanted(
        flavour=flavour,
        nodes=chance.choice([1, 1, 2, 3]),
        length_ms=chance.choice([20 * MINUTE_MS, HOUR_MS, 12 * HOUR_MS, 2 * DAY_MS]),
        from_ms=from_ms,
        within=chance.choice(["", "", "rack"]),
    )
    command = quote_capacity.command(SYSTEM, world.application.sites, project=chance.choice(story.projects), wanted=wanted)
    return _said(story.perform(command), "quote")


def hold(story: Story) -> str:
    """Somebody has an option kept, or lets it go."""
    project, option = _an_option(story)
    if story.chance.random() < 0.3:
        return _said(story.perform(hold_option.release(SYSTEM, project=project, option=option)), "option")
    return _said(story.perform(hold_option.command(SYSTEM, project=project, option=option)), "option")


def book(story: Story) -> str:
    """Somebody books an option, and often begins to work in it."""
    project, option = _an_option(story)
    sites = story.world.application.sites
    answer = story.perform(book_capacity.command(SYSTEM, sites, project=project, option=option))
    if isinstance(answer, Refusal):
        return answer.reason.value
    inside = run_inside(story) if story.chance.random() < 0.6 else "nothing"
    return f"{answer.get('booking')}, {inside} inside"


def run_inside(story: Story) -> str:
    """The owner of a booking runs a job in it."""
    chance, state = story.chance, story.world.state
    known = state.booking.bookings.get(_a_booking(story))
    if known is None:
        return "nothing"
    node = state.scheduler.fleet.nodes[known.nodes[0]]
    shape = NodeShape(cpu_milli=1000, memory_mib=1024, gpus=chance.choice([0, node.gpus]))
    spec = JobSpec(
        name="inside",
        nodes=chance.choice([1, len(known.nodes)]),
        shapes=(shape,),
        run=f"sleep {chance.choice([60, 3600, 86_400])}",
        time_limit_ms=chance.choice([5 * MINUTE_MS, HOUR_MS, 2 * DAY_MS]),
        checkpoint=CheckpointRule(grace_ms=5 * SECOND_MS),
        retry=RetryRule(max_attempts=chance.choice([1, 2])),
        capacity_class=CapacityClass.RESERVED,
        booking=known.booking,
    )
    return _said(story.perform(submit_job.command(SYSTEM, project=known.project, spec=spec)), "job")


def extend(story: Story) -> str:
    """The owner asks how much longer a booking may last, and mostly takes that."""
    sites, length = story.world.application.sites, story.chance.choice([10 * MINUTE_MS, 6 * HOUR_MS])
    answer = story.perform(extend_booking.command(SYSTEM, sites, booking=_a_booking(story), length_ms=length))
    if isinstance(answer, Refusal) or story.chance.random() < 0.3:
        return _said(answer, "quote")
    project, option = _an_option(story)
    return _said(story.perform(book_capacity.command(SYSTEM, sites, project=project, option=option)), "booking")


def cancel(story: Story) -> str:
    """The owner gives a booking back."""
    return _said(story.perform(cancel_booking.command(SYSTEM, booking=_a_booking(story))), "booking")


def hold_many(story: Story) -> str:
    """Somebody has one option after the other kept, on days apart, until he may keep no more."""
    project, kept = story.chance.choice(story.projects), 0
    for day in range(2, 2 + HOLDS_TRIED):
        option = _first_option(story, project, nodes=1, from_ms=story.world.now + day * DAY_MS, length_ms=20 * MINUTE_MS)
        if option is None or isinstance(story.perform(hold_option.command(SYSTEM, project=project, option=option)), Refusal):
            break
        kept += 1
    return f"{project} {kept}"


def book_all(story: Story) -> str:
    """Somebody books all nodes of a flavour for a while to come, asks for work that would reach into that, and his budget is cut."""
    chance, world = story.chance, story.world
    fleet, project = world.state.scheduler.fleet.nodes, chance.choice(story.projects)
    node = fleet[chance.choice(sorted(fleet))]
    alike = sum(one.flavour == node.flavour for one in fleet.values())
    option = _first_option(story, project, node.flavour, nodes=alike, from_ms=world.now + HOUR_MS, length_ms=12 * HOUR_MS)
    booked = story.perform(book_capacity.command(SYSTEM, world.application.sites, project=project, option=option or "quote_none.1"))
    shape = NodeShape(cpu_milli=500, memory_mib=512, gpus=min(1, node.gpus), flavour=node.flavour)
    spec = JobSpec(name="long", nodes=1, shapes=(shape,), run="sleep 600", time_limit_ms=2 * DAY_MS, checkpoint=CheckpointRule(grace_ms=0))
    waits = story.perform(submit_job.command(SYSTEM, project=chance.choice(story.projects), spec=spec))
    cut = story.perform(set_budget.command(SYSTEM, project=project, budget_micro_eur=chance.choice([0, EURO])))
    return f"{_said(booked, 'booking')}; {_said(waits, 'job')}; {_said(cut, 'project')}"


def lose_booked(story: Story) -> str:
    """A node fails inside the window of a booking, at its beginning where it has not begun."""
    known = story.world.state.booking.bookings.get(_a_booking(story))
    if known is None:
        return "nothing"
    story.pass_ms(max(0, known.from_ms - story.world.now))
    now = story.world.state.booking.bookings.get(known.booking)
    if now is None or not now.nodes:
        return "nothing"
    node = story.chance.choice(now.nodes)
    story.engine.lose_node(node)
    story.world.rest()
    story.run_rounds()
    return node


def _first_option(
    story: Story, project: str, flavour: str = "", *, nodes: int, from_ms: int, length_ms: int
) -> str | None:
    """Return the first option that is quoted for a window, None where there is none."""
    world = story.world
    fleet = world.state.scheduler.fleet.nodes
    wanted = Wanted(flavour=flavour or fleet[min(fleet)].flavour, nodes=nodes, length_ms=length_ms, from_ms=from_ms)
    quoted = story.perform(quote_capacity.command(SYSTEM, world.application.sites, project=project, wanted=wanted))
    if isinstance(quoted, Refusal) or not quoted["options"]:
        return None
    return str(quoted["options"][0]["option"])


def _an_option(story: Story) -> tuple[str, str]:
    """Return a project and one of its options; now and then somebody else's, mostly of the newest quote."""
    quotes = list(story.world.state.booking.quotes.values())
    project = story.chance.choice(story.projects)
    if not quotes:
        return project, "quote_none.1"
    known = quotes[-1] if story.chance.random() < 0.7 else story.chance.choice(quotes)
    option = f"{known.quote}.{story.chance.randint(1, len(known.options))}"
    return (known.project if story.chance.random() < 0.95 else project), option


def _a_booking(story: Story) -> str:
    known = sorted(story.world.state.booking.bookings)
    return story.chance.choice(known) if known else NONE


def _said(answer: object, what: str) -> str:
    if isinstance(answer, Refusal):
        return answer.reason.value
    return str(answer.get(what, "")) if isinstance(answer, dict) else ""


ACTS: Mapping[Callable[[Story], str], int] = {
    quote: 10,
    hold: 4,
    book: 9,
    run_inside: 4,
    extend: 3,
    cancel: 2,
    hold_many: 2,
    book_all: 2,
    lose_booked: 2,
}
