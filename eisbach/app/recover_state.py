"""Start = snapshot + later events: the state and the log's frontier, read from a store."""

import msgspec

from eisbach.app import when_needed
from eisbach.app.event_codec import open_event
from eisbach.app.fold import apply
from eisbach.app.state import FactoryState
from eisbach.core.log.tree import Frontier, complete_nodes
from eisbach.ports.store import Store, StoreDamaged

PAGE = 5_000


class Recovered(msgspec.Struct, frozen=True):
    """What was read: the state, the frontier, the seq of the snapshot it began from (-1: none), the newest head."""

    state: FactoryState
    frontier: Frontier
    snapshot_seq: int
    head_size: int


def recover(store: Store, *, from_snapshot: bool = True) -> Recovered:
    """Return the state that the store's log gives; `from_snapshot=False` reads the whole log.

    Raise StoreDamaged where an event cannot be made true.
    """
    state, snapshot_seq = FactoryState(), -1
    saved = store.load_snapshot() if from_snapshot else None
    if saved is not None:
        read = when_needed.state_of_snapshot(saved[1])
        if read is not None:
            state, snapshot_seq = read, saved[0]
    while page := store.events(after_seq=state.next_seq - 1, limit=PAGE):
        for sealed in page:
            try:
                apply(state, sealed.seq, sealed.at_ms, open_event(sealed.data).body)
            except Exception as error:
                what = f"the store is damaged: event {sealed.seq} does not follow from those before it ({error})"
                raise StoreDamaged(f"{what}; `eisbach db check` says more, restore a backup") from error
    # Each batch of the log ended with a look at what it shook, and with a cycle.
    state.scheduler.agenda.settle(state.last_ms)
    when_needed.note_soonest(state, state.last_ms)
    state.scheduler.looks.due.clear()
    _read_names(state, store)
    nodes = [store.tree_node(level, index) for level, index in complete_nodes(0, state.next_seq)]
    head = store.head()
    return Recovered(state, Frontier(state.next_seq, nodes), snapshot_seq, head[0] if head else -1)


def _read_names(state: FactoryState, store: Store) -> None:
    for organisation in state.organisations.values():
        organisation.name = _name(store, organisation.organisation)
    for project in state.projects.values():
        project.name = _name(store, project.project)


def _name(store: Store, owner: str) -> str:
    text = store.text(f"{owner}/name")
    return text.content.decode() if text is not None else ""
