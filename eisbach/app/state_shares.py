"""The part of the factory's state that follows from events about agreements, quotas and fair shares."""

import msgspec

from eisbach.core.scheduling.predict import RunHistory

FULL_PRICE = 1000


class Agreement(msgspec.Struct):
    """What an organisation has committed to, and which thousandths of the list price it pays for that."""

    gpu_milli: int
    price_permille: int


class SharesState(msgspec.Struct):
    """What decisions about agreements, quotas and fair shares read. Saved in snapshots as it stands: plain values, no indexes.

    What somebody used and holds stands in the scheduler's tree (core/scheduling/fair_share.py).
    """

    weights: dict[str, int] = msgspec.field(default_factory=dict)
    """segment, organisation or project -> its weight, where it was given one"""
    quotas: dict[str, int] = msgspec.field(default_factory=dict)
    """organisation or project -> thousandths of a GPU"""
    agreements: dict[str, Agreement] = msgspec.field(default_factory=dict)
    """organisation -> its agreement"""
    moved: list[tuple[int, int]] = msgspec.field(default_factory=list)
    """instant and number of attempts that were moved for a gang, of the last hour"""
    runs: RunHistory = msgspec.field(default_factory=RunHistory)
    """project and token -> how long their last jobs ran"""
