"""What a run of the twin takes for granted, in sentences: they stand in its result, in its report and on the terminal."""

from collections.abc import Sequence

from eisbach.app.periods import CAPS_EVERY_MS as CAPS_LIVE_MS
from eisbach.app.periods import METERS_WHILE_RUNNING_MS as METERS_LIVE_MS
from eisbach.app.periods import MOVES_EVERY_MS
from eisbach.core.jobs.amounts import duration_text
from eisbach.engines.simulated.script import CHECKPOINT_EVERY_MS
from eisbach.twin.rounds import BOOKINGS_EVERY_MS, CAPS_EVERY_MS, METERS_EVERY_MS

CHECKPOINT_MS = CHECKPOINT_EVERY_MS
"""How often a job saves its state unless a run says otherwise: an assumption, and no figure of anybody's work."""


def assumptions(*, checkpoint_ms: int | None, starting_ms: int, is_metered: bool, has_own_prices: bool) -> Sequence[str]:
    """Return what is assumed about every job and every site of a run."""
    if checkpoint_ms is None:
        saves = "no job saves its state: one that was stopped or lost starts again from the beginning"
    else:
        saves = (
            f"every job saves its state each {duration_text(checkpoint_ms)} and when it is asked to stop, in no time; one that was stopped or lost "
            "goes on from there"
        )
    found = [
        "a job runs as long as its trace, its file or its past says, on every flavour",
        saves,
        f"an attempt runs {duration_text(starting_ms)} after its start was decided" if starting_ms else "an attempt runs as soon as its start is decided",
        "failures do not depend on load or age; network, storage and contention between jobs are not modelled",
        "prices are those that the factory published" if has_own_prices else "prices are those of the example price list",
    ]
    found.append(
        f"what is done in rounds comes less often than live: bookings each {duration_text(BOOKINGS_EVERY_MS)}, moves each {duration_text(MOVES_EVERY_MS)}, "
        f"caps on power each {duration_text(CAPS_EVERY_MS)} (live each {duration_text(CAPS_LIVE_MS)}), energy each {duration_text(METERS_EVERY_MS)} "
        f"(live each {duration_text(METERS_LIVE_MS)} while work runs)"
    )
    if is_metered:
        found.append("energy is modelled from the ratings of nodes and from the weather and the plant of the site file")
    return tuple(found)
