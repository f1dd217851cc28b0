"""Losses between the grid and the racks: transformers, uninterruptible supplies, cables."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """How much is lost: a fixed part, one that grows with the load, one that grows with its square.

    The form is the usual one of transformers (no-load losses) and of conductors (I²R): A. Greenberg et al. and
    S. Pelley et al., "Understanding and Abstracting Total Data Center Power" (WEED 2009). `proportional_ppm` and `square_ppm`
    are millionths of the load; the square's are reached at `rated_mw`.
    """

    rated_mw: int
    fixed_mw: int = 0
    proportional_ppm: int = 30_000
    square_ppm: int = 20_000

    def losses_mw(self, load_mw: int) -> int:
        """Return what is lost while this load is supplied."""
        load = max(0, load_mw)
        square = load * load * self.square_ppm // (max(1, self.rated_mw) * 1_000_000)
        return self.fixed_mw + load * self.proportional_ppm // 1_000_000 + square
