"""How often a live factory looks again: periods of rounds that others tell as well, apart from what the rounds do."""

from typing import Final

from eisbach.core.vocabulary.quantities import MINUTE_MS, SECOND_MS

CAPS_EVERY_MS: Final = 15 * SECOND_MS
MOVES_EVERY_MS: Final = 10 * MINUTE_MS
METERS_WHILE_RUNNING_MS: Final = 15 * MINUTE_MS
"""Where work runs, an interval ends at least this often: the quarter of an hour by which electricity is metered."""
