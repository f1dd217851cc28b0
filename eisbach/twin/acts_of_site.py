"""What happens to a site in a story: nodes are lost, drained, closed and changed, power is capped."""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from eisbach.app import cap_power, drain_node
from eisbach.app import close_nodes as closing
from eisbach.app import tend_nodes as tending
from eisbach.app.commands import SYSTEM
from eisbach.app.open_factory import apply_site_changes
from eisbach.core.capacity.targets import Targets
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS
from eisbach.twin.story import Story
from eisbach.twin.world import START_MS


def drain(story: Story) -> str:
    """A node takes no more work."""
    node, stop_work = _a_node(story), story.chance.random() < 0.6
    story.perform(drain_node.command(SYSTEM, node=node, drained=True, stop_work=stop_work))
    return f"{node} {'now' if stop_work else 'when idle'}"


def resume(story: Story) -> str:
    """A node takes work again."""
    node = _a_node(story)
    story.perform(drain_node.command(SYSTEM, node=node, drained=False))
    return node


def _a_node(story: Story) -> str:
    return story.chance.choice(sorted(story.world.state.scheduler.fleet.nodes))


def lose(story: Story) -> str:
    """A running attempt is lost; often the same job's again, so that its delays grow."""
    jobs = story.world.state.scheduler.jobs.values()
    going = story.engine.going()
    running = sorted(str(job.attempt) for job in jobs if job.state is JobState.RUNNING and job.attempt in going)
    if not running:
        return "nothing"
    attempt = running[0] if story.chance.random() < 0.7 else story.chance.choice(running)
    story.engine.lose(attempt)
    story.world.rest()
    return attempt


def lose_node(story: Story) -> str:
    """A node is gone, with all that runs there; or the engine says that one is gone on which nothing runs."""
    node = _a_node(story)
    story.engine.lose_node(node)
    story.world.rest()
    return node


def tend_nodes(story: Story) -> str:
    """An operator does something with a node or with all of a rack."""
    act = story.chance.choice([*tending.Act, tending.Act.REPAIR, tending.Act.RESUME])
    if act is tending.Act.REPAIR:
        for gone in story.engine.gone_nodes():
            story.engine.bring_node_back(gone.node)
    story.perform(tending.command(SYSTEM, act=act, targets=_targets(story)))
    return str(act.value)


def close_nodes(story: Story) -> str:
    """Nodes are to close at an instant to come, for a while or until somebody takes them back."""
    from_ms = story.world.now + story.chance.choice([-1, MINUTE_MS, HOUR_MS, DAY_MS])
    length_ms = story.chance.choice([HOUR_MS, 6 * HOUR_MS]) if story.chance.random() < 0.7 else None
    is_forced = story.chance.random() < 0.3
    story.perform(
        closing.command(SYSTEM, targets=_targets(story), from_ms=from_ms, length_ms=length_ms, is_forced=is_forced)
    )
    return f"{from_ms - START_MS} {length_ms}"


def cancel_closure(story: Story) -> str:
    """A closure is called off, or cut short."""
    known = sorted(story.world.state.health.closures)
    closure = story.chance.choice(known) if known else "close_none"
    story.perform(closing.cancel(SYSTEM, closure=closure))
    return closure


def _targets(story: Story) -> Targets:
    if story.chance.random() < 0.7:
        return Targets(names=(_a_node(story),))
    return Targets(rack=story.chance.choice(["rack-01", "rack-02"]))


def cap(story: Story) -> str:
    """An operator caps a site, for a while or until it is lifted."""
    facts = story.chance.choice(list(story.world.application.sites.values()))
    draw_mw = story.chance.choice([None, None, 0, 20_000, 2_000_000, 10**7])
    until_ms = story.chance.choice([0, story.world.now + HOUR_MS])
    story.perform(cap_power.command(SYSTEM, facts, site=facts.site, draw_mw=draw_mw, until_ms=until_ms))
    return f"{facts.site} {draw_mw} mW"


def change_site(story: Story) -> str:
    """A node gets another size, or one more comes, or one goes, or one stands elsewhere; or the site's country changes."""
    first, *more = story.world.sites
    nodes, kind = list(first.nodes), story.chance.choice(["size", "more", "less", "rack", "country"])
    at = story.chance.randrange(len(nodes))
    if kind == "size":
        nodes[at] = replace(nodes[at], cpu_milli=story.chance.choice([2000, 4000, 8000]))
    elif kind == "more":
        nodes.append(replace(nodes[at], node=f"more-{len(story.trace)}"))
    elif kind == "less" and len(nodes) > 1:
        nodes.pop()
    elif kind == "rack":
        nodes[at] = replace(nodes[at], rack=story.chance.choice(["rack-01", "rack-02"]))
    country = story.chance.choice(["DE", "AT"]) if kind == "country" else first.country
    story.world.sites = (replace(first, nodes=tuple(nodes), country=country), *more)
    apply_site_changes(story.world.application, story.world.sites)
    story.world.rest()
    return kind

ACTS: Mapping[Callable[[Story], str], int] = {
    drain: 5,
    resume: 6,
    lose: 6,
    lose_node: 3,
    tend_nodes: 5,
    close_nodes: 3,
    cancel_closure: 2,
    cap: 3,
    change_site: 4,
}
