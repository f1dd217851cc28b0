"""What an operator does with nodes: cordon, drain, take back, mark lost, declare repaired; one node or a whole hall."""

from collections.abc import Callable, Iterable
from enum import Enum

from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events import Body, JobStopping, NodeDrained
from eisbach.app.events_health import NodeMarked
from eisbach.app.site_facts import BY_SITE_FILE
from eisbach.app.state import FactoryState
from eisbach.app.texts import commit_where_kept
from eisbach.core.capacity.health import Health, HealthCause
from eisbach.core.capacity.inventory import Node
from eisbach.core.capacity.targets import Targets, choose, places_of, unknown_name
from eisbach.core.jobs.lifecycle import StopCause
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.store import Text

NOTE_LENGTH_MAX = 500
PLACES_SHOWN = 4


class Act(Enum):
    """What can be done with nodes. The words are those of Kubernetes (cordon, drain) and Slurm (drain, resume)."""

    CORDON = "cordon"  # takes nothing new; what runs there stays
    UNCORDON = "uncordon"  # takes work again
    DRAIN = "drain"  # takes nothing new; what runs there saves and starts again elsewhere
    RESUME = "resume"  # takes work again
    LOST = "lost"  # nothing runs there any more, whatever an engine says
    REPAIR = "repair"  # somebody has looked: it is healthy


def command(actor: Actor, *, act: Act, targets: Targets, note: str = "") -> Command:
    """Return the command that does something with all nodes that are meant; what is so already changes nothing."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        nodes = nodes_meant(state, targets)
        if isinstance(nodes, Refusal):
            return nodes
        changed: list[str] = []
        events: list[Body] = []
        texts: list[Text] = []
        for node in nodes:
            mark = context.ids.new("mark", context.now)
            noted = note_of(context, mark, note)
            if isinstance(noted, Refusal):
                return noted
            body = _CHANGES[act](state, node, actor, mark, noted[0])
            if body is not None:
                changed.append(node.node)
                events.append(body)
                texts += noted[1]
        attempts = attempts_on_any(state, (node.node for node in nodes))
        if act is Act.DRAIN:
            events += leave(state, attempts, actor, context.now)
        reply = {
            "act": act.value,
            "nodes": [node.node for node in nodes],
            "changed": changed,
            "attempts_on_them": len(attempts),
        }
        return Decision(events=tuple(events), texts=tuple(texts), reply=reply)

    return decide


def note_of(context: Context, owner: str, note: str) -> tuple[str, tuple[Text, ...]] | Refusal:
    """Return the commitment to what a person wrote, and the text to keep; a refusal where it is too long."""
    if len(note) > NOTE_LENGTH_MAX:
        what = f"The note has {len(note)} characters"
        return Refusal(Reason.INVALID_ARGUMENT, what, f"Say it in at most {NOTE_LENGTH_MAX}", "note")
    return commit_where_kept(context, owner, "note", str, note) if note else ("", ())


def nodes_meant(state: FactoryState, targets: Targets) -> list[Node] | Refusal:
    """Return the nodes that are meant, at least one, or the refusal that says which name or place nobody knows."""
    fleet = state.scheduler.fleet.nodes
    if targets.is_empty:
        return Refusal(Reason.INVALID_ARGUMENT, "No node is said", "Name nodes, a site, a hall, a row, a rack or a pool")
    unknown = unknown_name(fleet.values(), targets)
    if unknown is not None:
        return Refusal(Reason.NOT_FOUND, f"There is no node {unknown!r}", "Look at `eisbach node list`")
    nodes = choose(fleet.values(), targets)
    if not nodes:
        return Refusal(Reason.NOT_FOUND, f"There is no node at {targets}", "Look at `eisbach node list -o wide`")
    places = places_of(nodes, targets)
    if len(places) > 1 and not targets.names:
        shown = ", ".join(places[:PLACES_SHOWN]) + (" and others" if len(places) > PLACES_SHOWN else "")
        return Refusal(
            Reason.INVALID_ARGUMENT,
            f"{targets} is said of {len(places)} places with {len(nodes)} nodes: {shown}",
            "Say the site, the hall and the row as well, or name the nodes (`*` stands for anything)",
        )
    return nodes


def attempts_on_any(state: FactoryState, nodes: Iterable[str]) -> list[str]:
    """Return the attempts that hold a share of any of these nodes, in the order of their ids."""
    meant = frozenset(nodes)
    holding = state.scheduler.holding.items()
    return sorted(attempt for attempt, job in holding if any(share.node in meant for share in job.shares))


def leave(state: FactoryState, attempts: Iterable[str], actor: Actor, now: int) -> list[Body]:
    """Return the events that ask attempts to save and go; their jobs start again elsewhere, at our cost. A notice is waited for by nobody."""
    jobs = (state.scheduler.holding[attempt] for attempt in attempts)
    return [
        JobStopping(job=job.job, attempt=str(job.attempt), cause=StopCause.DRAIN.value, grace_ms=job.grace_ms, by=actor.token)
        for job in jobs
        if not job.is_asked(now)
    ]


def _close(state: FactoryState, node: Node, actor: Actor, mark: str, note: str, *, keeps_work: bool) -> Body | None:
    is_so = node.drained and node.drained_by != BY_SITE_FILE and (node.node in state.health.cordoned) is keeps_work
    if is_so:
        return None
    return NodeDrained(node=node.node, drained=True, by=actor.token, keeps_work=keeps_work, mark=mark, note=note)


def _cordon(state: FactoryState, node: Node, actor: Actor, mark: str, note: str) -> Body | None:
    """A node that is being drained stays so: a cordon asks for less."""
    is_drained = node.drained and node.drained_by != BY_SITE_FILE
    return None if is_drained else _close(state, node, actor, mark, note, keeps_work=True)


def _drain(state: FactoryState, node: Node, actor: Actor, mark: str, note: str) -> Body | None:
    return _close(state, node, actor, mark, note, keeps_work=False)


def _open(state: FactoryState, node: Node, actor: Actor, mark: str, note: str) -> Body | None:
    if not node.drained:
        return None
    return NodeDrained(node=node.node, drained=False, by=actor.token, mark=mark, note=note)


def _lost(state: FactoryState, node: Node, actor: Actor, mark: str, note: str) -> Body | None:
    known = state.health.marks.get(node.node)
    return None if known is not None and known.health is Health.LOST else _marked(Health.LOST, node, actor, mark, note)


def _repair(state: FactoryState, node: Node, actor: Actor, mark: str, note: str) -> Body | None:
    return _marked(Health.HEALTHY, node, actor, mark, note) if node.node in state.health.marks else None


def _marked(health: Health, node: Node, actor: Actor, mark: str, note: str) -> NodeMarked:
    cause = HealthCause.OPERATOR.value
    return NodeMarked(node=node.node, health=health.value, cause=cause, by=actor.token, mark=mark, note=note)


_CHANGES: dict[Act, Callable[[FactoryState, Node, Actor, str, str], Body | None]] = {
    Act.CORDON: _cordon,
    Act.UNCORDON: _open,
    Act.DRAIN: _drain,
    Act.RESUME: _open,
    Act.LOST: _lost,
    Act.REPAIR: _repair,
}
