"""Tables about the health of nodes, maintenance and drains: rows of app/rows_health.py."""
