"""Tables about promised starts and the scheduler's policy: rows of app/rows_planning.py."""
