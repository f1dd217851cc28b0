"""Migrations of the SQL store, run by migrate.py; each only adds, a later one contracts."""
