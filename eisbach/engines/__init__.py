"""Drivers that run attempts; each knows only the ports and the core."""
