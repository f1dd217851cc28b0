"""The part of the factory's state that follows from events about exports and imports of organisations."""

import msgspec


class ExitState(msgspec.Struct):
    """What decisions about exports and imports of organisations read. Saved in snapshots as it stands: plain values, no indexes."""

    imported: dict[str, str] = msgspec.field(default_factory=dict)
    """organisation -> the SHA-256 of the manifest of the package that it came in"""
