"""Events about data sets and uploads. An upload is the first stage of a data set and has its id."""

from eisbach.app.event_body import Body


class DataSetAnnounced(Body, frozen=True):
    """Somebody begins to upload. `name` and `licence` commit to texts (`licence` is empty where none was given)."""

    data_set: str
    project: str
    site: str
    name: str
    licence: str
    data_class: str
    size: int
    keep_ms: int | None
    expires_ms: int
    countries: tuple[str, ...]
    by: str


class DataSetCreated(Body, frozen=True):
    """All bytes are there: `sha256` of the file, `manifest` of the list of its chunks (ports/objects.manifest_of)."""

    data_set: str
    project: str
    size: int
    sha256: str
    manifest: str
    chunks: int
    keep_until_ms: int | None


class DataSetAbandoned(Body, frozen=True):
    """An upload was given up: `cause` is `request` or `expired`."""

    data_set: str
    project: str
    cause: str
    by: str


class DataSetCopying(Body, frozen=True):
    """A copy at a further site was asked for and allowed; `copying` are all sites it is on its way to now."""

    data_set: str
    project: str
    site: str
    copying: tuple[str, ...]
    by: str


class DataSetCopied(Body, frozen=True):
    """The copy at this site is whole, its hashes were compared. `places` and `copying` are what holds after it."""

    data_set: str
    project: str
    site: str
    places: tuple[str, ...]
    copying: tuple[str, ...]


class DataSetDeleting(Body, frozen=True):
    """From here on nobody reads it: `cause` is `request` or `retention`."""

    data_set: str
    project: str
    cause: str
    by: str


class DataSetDeleted(Body, frozen=True):
    """Nothing of it is left at any site. `removed`: for each site its chunks, and those other data sets hold too."""

    data_set: str
    project: str
    size: int
    sha256: str
    manifest: str
    removed: tuple[tuple[str, int, int], ...]
    cause: str
    by: str
    asked_ms: int


KINDS: dict[str, type[Body]] = {
    "data_set.announced": DataSetAnnounced,
    "data_set.created": DataSetCreated,
    "data_set.abandoned": DataSetAbandoned,
    "data_set.copying": DataSetCopying,
    "data_set.copied": DataSetCopied,
    "data_set.deleting": DataSetDeleting,
    "data_set.deleted": DataSetDeleted,
}
