"""Tables about invoices and who they go to: rows of app/rows_billing.py."""
