"""Tables about exports and imports of organisations: rows of app/rows_exit.py."""
