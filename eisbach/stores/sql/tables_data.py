"""Tables about data sets and uploads: rows of app/rows_data.py."""
