"""Which organisations a caller's lists cover."""

from eisbach.api.access import Call

ORGANISATIONS_MAX = 10_000


def organisations_of(call: Call) -> tuple[str, ...] | None:
    """Return the caller's organisation and all below it, or None where the caller is bound to none and sees all."""
    root = call.actor.organisation
    if root is None:
        return None
    found = [root]
    level: tuple[str, ...] = (root,)
    while level and len(found) < ORGANISATIONS_MAX:
        below: list[str] = []
        cursor = None
        while True:
            page = call.application.reader.rows("organisations", {"parent": level}, cursor=cursor, limit=1000)
            below += [row["organisation"] for row in page.rows]
            cursor = page.next_cursor
            if cursor is None:
                break
        found += below
        level = tuple(below)
    return tuple(found)
