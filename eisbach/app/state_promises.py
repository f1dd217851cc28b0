"""The part of the factory's state that follows from events about public promises, and what is held against them."""

import msgspec

Wording = tuple[str, ...]
"""The fields of app/promise_register.WORDING_FIELDS, in their order, as text."""


class PromiseRecord(msgspec.Struct):
    """A promise: `wordings` is every wording ever recorded, `current` those that the register names now, by source."""

    wordings: list[Wording] = msgspec.field(default_factory=list)
    current: dict[str, Wording] = msgspec.field(default_factory=dict)
    is_dropped: bool = False


class SiteGpus(msgspec.Struct):
    """GPUs commissioned at a site: how many now, since when any, and GPU x milliseconds up to `counted_ms`."""

    gpus: int = 0
    first_ms: int | None = None
    counted_ms: int = 0
    commissioned_gpu_ms: int = 0
    held_gpu_ms: int = 0
    """GPU x milliseconds that ended attempts held there"""


class PromiseState(msgspec.Struct):
    """What decisions about public promises read. Saved in snapshots as it stands: plain values, no indexes."""

    records: dict[str, PromiseRecord] = msgspec.field(default_factory=dict)
    gpus_at: dict[str, SiteGpus] = msgspec.field(default_factory=dict)
    """site -> what was commissioned and held there"""
