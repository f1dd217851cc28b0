"""The part of the factory's state that follows from events about quotes held, bookings and what becomes of them."""

from dataclasses import dataclass


@dataclass(slots=True)
class BookingState:
    """What decisions about quotes held, bookings and what becomes of them read. Saved in snapshots as it stands: plain values, no indexes."""
