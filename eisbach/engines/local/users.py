"""One user id per project where the engine runs as root; what isolation there is, said in a sentence."""

import os
from pathlib import Path

import msgspec

from eisbach.engines.local import durable
from eisbach.engines.local.layout import Layout

FIRST_USER_ID = 200_000
LAST_USER_ID = 399_999

_decoder = msgspec.json.Decoder(dict[str, int])


class ProjectUsers:
    """The map from project to user id: grows, is durable before it is used, never gives an id to a second project."""

    def __init__(self, path: Path) -> None:
        self._path = path
        data = durable.read_file(path)
        self._ids: dict[str, int] = {} if data is None else _decoder.decode(data)

    def user_id(self, project_id: str) -> int:
        """Return the project's user id (also its group id)."""
        known = self._ids.get(project_id)
        if known is not None:
            return known
        following = max(self._ids.values(), default=FIRST_USER_ID - 1) + 1
        if following > LAST_USER_ID:
            raise OSError("all user ids for projects are given away")
        ids = {**self._ids, project_id: following}
        durable.write_file(self._path, msgspec.json.encode(ids))
        self._ids = ids
        return following


def separates_users(wanted: bool) -> bool:
    """Return whether each project gets a user id of its own: asked for, and possible only as root."""
    return wanted and os.geteuid() == 0


def isolation_sentence(layout: Layout, separate: bool, closed: Path | None = None) -> str:
    """Return what keeps projects apart on this machine, for the operator; `closed` keeps jobs from Eisbach's Python."""
    if not separate:
        who = "as root" if os.geteuid() == 0 else "without root"
        return (
            f"One trust domain: the engine runs {who} and gives projects no user ids of their own, "
            "so jobs of different projects could read each other's files"
        )
    text = f"Each project runs under a user id of its own (from {FIRST_USER_ID})"
    if layout.scratch.parent != layout.home:
        text += f"; workspaces and checkpoints lie in {layout.scratch}, since jobs cannot reach into {layout.home}"
    if closed is not None:
        text += f"; jobs cannot use the Python of Eisbach ($EISBACH_PYTHON), because {closed} is closed to other users"
    return text
