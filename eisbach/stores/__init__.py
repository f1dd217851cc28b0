"""Stores: where the log and its rows are kept; each keeps the contract of ports/store.py."""
