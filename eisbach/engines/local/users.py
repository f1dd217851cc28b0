"""One user id per project where the engine runs as root; what isolation there is, said in a sentence."""

import hashlib
import os
from itertools import chain
from pathlib import Path

import msgspec

from eisbach.engines.local import durable
from eisbach.engines.local.layout import Layout

FIRST_USER_ID = 200_000
LAST_USER_ID = 399_999
_BLOCK = 100
"""Every home begins at a multiple of this, chosen by its path: two factories on one machine hardly share a user id."""

_decoder = msgspec.json.Decoder(dict[str, int])


class ProjectUsers:
    """The map from project to user id: grows, is durable before it is used, never gives an id to a second project."""

    def __init__(self, path: Path) -> None:
        """Read the map; `path` also says where this engine begins, since it is its own."""
        self._path = path
        blocks = (LAST_USER_ID + 1 - FIRST_USER_ID) // _BLOCK
        number = int.from_bytes(hashlib.sha256(os.fsencode(path)).digest()[:8], "big")
        self._first = FIRST_USER_ID + number % blocks * _BLOCK
        data = durable.read_file(path)
        self._ids: dict[str, int] = {} if data is None else _decoder.decode(data)

    def user_id(self, project_id: str) -> int:
        """Return the project's user id (also its group id)."""
        known = self._ids.get(project_id)
        if known is not None:
            return known
        taken = set(self._ids.values())
        candidates = chain(range(self._first, LAST_USER_ID + 1), range(FIRST_USER_ID, self._first))
        following = next((free for free in candidates if free not in taken), None)
        if following is None:
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
    text = f"Each project runs under a user id of its own ({FIRST_USER_ID} to {LAST_USER_ID})"
    if layout.scratch.parent != layout.home:
        text += f"; workspaces and checkpoints lie in {layout.scratch}, since jobs cannot reach into {layout.home}"
    if closed is not None:
        text += f"; jobs cannot use the Python of Eisbach ($EISBACH_PYTHON), because {closed} is closed to other users"
    return text
