"""Tables about public promises: rows of app/rows_promises.py."""
