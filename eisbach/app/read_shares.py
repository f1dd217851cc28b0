"""Who is due how much, had how much, and comes when: fair shares with the figures that the queue is sorted by."""

from collections.abc import Callable
from typing import Any

from eisbach.app.set_shares import price_permille
from eisbach.app.state import FactoryState

Json = dict[str, Any]


def question(
    *, organisations: tuple[str, ...] | None = None, project: str | None = None
) -> Callable[[FactoryState, int], list[Json]]:
    """Return the question for the branches of the tree: all, those of these organisations, or one project.

    `due_ppm` is what a branch is due of the factory in millionths while all have work, `used_ppm` what it had of the decayed usage,
    `usage_gpu_milli_ms` that usage; `turn` is the place of a project among all projects: whose work comes first.
    """

    def ask(state: FactoryState, now: int) -> list[Json]:
        tree = state.scheduler.fair_share
        turns = {leaf: turn for turn, leaf in enumerate(sorted(state.projects, key=tree.rank), 1)}
        found: list[Json] = []

        def look(parent: str) -> None:
            for name in tree.children(parent):
                if _is_visible(state, name, organisations, project):
                    found.append(_branch(state, now, name, parent, turns.get(name)))
                look(name)

        look("")
        return found

    return ask


def _branch(state: FactoryState, now: int, name: str, parent: str, turn: int | None) -> Json:
    tree, shares = state.scheduler.fair_share, state.shares
    scope = "segment"
    permille = None
    agreement = shares.agreements.get(name)
    if name in state.organisations:
        scope = "organisation"
    elif name in state.projects:
        scope, permille = "project", price_permille(state, name)
    return {
        "owner": name,
        "scope": scope,
        "parent": parent or None,
        "weight": tree.weight(name),
        "due_ppm": tree.due_ppm(name),
        "used_ppm": tree.used_ppm(name),
        "usage_gpu_milli_ms": tree.usage(name, now),
        "half_life_hours": state.scheduler.policy.half_life_hours,
        "held_gpu_milli": tree.held(name),
        "firm_gpu_milli": tree.firm(name),
        "quota_gpu_milli": shares.quotas.get(name),
        "agreed_gpu_milli": agreement.gpu_milli if agreement is not None else 0,
        "price_permille": permille if agreement is None else agreement.price_permille,
        "turn": turn,
        "turns": len(state.projects) if turn is not None else None,
    }


def _is_visible(
    state: FactoryState, name: str, organisations: tuple[str, ...] | None, project: str | None
) -> bool:
    if project is not None:
        return name == project
    if organisations is None or name in organisations:
        return True
    return name in state.projects and state.projects[name].organisation in organisations
