"""Eisbach: the open operating system of a sovereign AI factory."""

__version__ = "0.1.0"
