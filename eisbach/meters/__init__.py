"""Meters: counters of energy that this machine has, behind ports/meter.py."""
