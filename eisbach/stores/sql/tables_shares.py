"""Tables about agreements, quotas and fair shares: rows of app/rows_shares.py."""
