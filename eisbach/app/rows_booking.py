"""Rows that follow from events about quotes held, bookings and what becomes of them."""

from collections.abc import Callable, Mapping
from typing import Any

from eisbach.app.event_body import Body
from eisbach.app.row_operations import Op

PRIMARY_KEYS: dict[str, str] = {}
TEXT_COLUMNS: dict[str, str] = {}
ROWS: dict[type[Body], Callable[[int, int, Any, Mapping[str, str]], list[Op]]] = {}
