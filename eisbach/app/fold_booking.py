"""Folding events about quotes held, bookings and what becomes of them into the state."""

from collections.abc import Callable
from typing import Any

from eisbach.app.event_body import Body
from eisbach.app.state import FactoryState

CHANGES: dict[type[Body], Callable[[FactoryState, int, int, Any], None]] = {}
