"""Tables about quotes held, bookings and what becomes of them: rows of app/rows_booking.py."""
