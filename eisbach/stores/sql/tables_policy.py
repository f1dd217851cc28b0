"""Tables about placement rules: rows of app/rows_policy.py."""
