"""Tariffs and charges: what held time costs."""
