"""Simulated: an engine whose tasks only pass time on the factory's clock. Nothing is executed."""

from eisbach.engines.simulated.engine import SimulatedEngine

__all__ = ["SimulatedEngine"]
