"""What an event does to rows: insert one, or change columns of one."""

from typing import Any

import msgspec

Row = dict[str, Any]


class Insert(msgspec.Struct, frozen=True):
    """A new row."""

    table: str
    row: Row


class Update(msgspec.Struct, frozen=True):
    """Columns of one existing row, found by its primary key."""

    table: str
    key: str
    changes: Row


Op = Insert | Update
