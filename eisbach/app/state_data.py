"""The part of the factory's state that follows from events about data sets and uploads."""

from enum import Enum

import msgspec


class Stage(Enum):
    """Where a data set is in its life."""

    UPLOADING = "uploading"
    READY = "ready"
    DELETING = "deleting"
    DELETED = "deleted"
    ABANDONED = "abandoned"
    """the upload was given up or never finished"""


class DataClass(Enum):
    """The classes of data of C5: whose they are and how they came to be."""

    CUSTOMER = "customer"
    DERIVED = "derived"
    ACCOUNT = "account"
    PROVIDER = "provider"


class DataSet(msgspec.Struct):
    """A data set that is not gone yet: bytes of a project at one site or several.

    `places` are the sites that hold it, the one it was uploaded to first; `copying` those it is on its way to.
    `keep_ms` is how long it is kept from its creation on and `keep_until_ms` what followed from that; None: until
    somebody deletes it. `expires_ms` is when an unfinished upload is given up. `countries` is the owner's own rule
    for where it may lie, empty where there is none.
    """

    data_set: str
    project: str
    stage: Stage
    size: int
    data_class: DataClass
    places: tuple[str, ...]
    keep_ms: int | None
    expires_ms: int
    countries: tuple[str, ...] = ()
    copying: tuple[str, ...] = ()
    keep_until_ms: int | None = None
    sha256: str = ""
    manifest: str = ""
    chunks: int = 0
    position: int = -1
    """where its announcement, and with it its rule, stands in the log"""
    deletion_cause: str = ""
    deletion_by: str = ""
    deletion_asked_ms: int = 0

    @property
    def bytes_held(self) -> int:
        """Return what it counts against the project's quota: every copy, also one that is only on its way."""
        return self.size * (len(self.places) + len(self.copying))


class DataState(msgspec.Struct):
    """What decisions about data sets and uploads read. Saved in snapshots as it stands: plain values, no indexes."""

    sets: dict[str, DataSet] = msgspec.field(default_factory=dict)
    bytes_held: dict[str, int] = msgspec.field(default_factory=dict)
    """project -> bytes of its data sets, uploads in full from their beginning on"""
    used_by: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """job that has not ended -> the data sets its task names"""
