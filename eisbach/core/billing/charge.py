"""The one function from held time to money: quote, cap and bill all use it."""

from eisbach.core.vocabulary.quantities import HOUR_MS


def charge_of(weight: int, already: int) -> int:
    """Return the micro-euro to charge now: floor(weight / 3,600,000) - already.

    `weight` is the sum over attempts of price (micro-euro an hour) x chargeable held milliseconds; `already` what the
    job was charged before. Negative where an attempt turned out to be ours and its charge is taken back.
    """
    return weight // HOUR_MS - already


def cap_of(price: int, limit_ms: int, grace_ms: int) -> int:
    """Return the most a job can cost: its price over limit and grace, rounded up so that no charge exceeds it."""
    return -(-price * (limit_ms + grace_ms) // HOUR_MS)
