"""Which organisations and projects an actor's lists cover."""

from collections.abc import Sequence

from eisbach.app.commands import Actor
from eisbach.ports.store import Reader, Row

ORGANISATIONS_MAX = 10_000


def organisations_of(reader: Reader, actor: Actor) -> tuple[str, ...] | None:
    """Return the actor's organisation and all below it, or None where the actor is bound to none and sees all."""
    root = actor.organisation
    if root is None:
        return None
    found = [root]
    level: tuple[str, ...] = (root,)
    while level and len(found) < ORGANISATIONS_MAX:
        below: list[str] = []
        cursor = None
        while True:
            page = reader.rows("organisations", {"parent": level}, cursor=cursor, limit=1000)
            below += [row["organisation"] for row in page.rows]
            cursor = page.next_cursor
            if cursor is None:
                break
        found += below
        level = tuple(below)
    return tuple(found)


def which_projects(reader: Reader, actor: Actor) -> dict[str, object]:
    """Return the condition on rows of `projects` under which the actor may see them."""
    if actor.project is not None:
        return {"project": actor.project}
    seen = organisations_of(reader, actor)
    return {} if seen is None else {"organisation": seen}


def projects_of(reader: Reader, actor: Actor, limit: int = 100) -> Sequence[Row]:
    """Return the newest projects that the actor may see."""
    return reader.rows("projects", which_projects(reader, actor), limit=limit).rows
