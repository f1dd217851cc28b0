"""Desired and observed attempts: what engines have to be told."""
