"""What an event does to rows: insert one, or change columns of one."""

from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Insert:
    """A new row."""

    table: str
    row: Row


@dataclass(frozen=True, slots=True)
class Update:
    """Columns of one existing row, found by its primary key."""

    table: str
    key: str
    changes: Row


Op = Insert | Update
