"""Events about exports and imports of organisations. Whose event a leaf was first is never lost: it is wrapped, not copied."""

from eisbach.app.event_body import Body


class OrganisationExported(Body, frozen=True):
    """Somebody takes everything of an organisation, as far as the log goes now."""

    organisation: str
    by: str


class OrganisationImported(Body, frozen=True):
    """An organisation came from another factory, with as many of its events as `records` says; they follow at once.

    `origin`, `key` and `head` (a signed note) are the other log's, `manifest` is the SHA-256 of the package's list of
    files. `site` is where its data lie here, empty where there are none.
    """

    organisation: str
    origin: str
    key: str
    head: str
    manifest: str
    records: int
    site: str
    by: str


class RecordImported(Body, frozen=True):
    """An event of another log: `data` are its canonical bytes, `origin_seq` is its place there.

    The same rows and balances follow as from the event itself (app/as_told.py), at the place of this one. `site` is put in the
    place of the site where its bytes lay; `at_root` says that the organisation above stayed behind. `left_behind` are jobs that
    the event names and that had not ended: nothing follows of what it says of them.
    """

    organisation: str
    origin: str
    origin_seq: int
    data: str
    site: str = ""
    at_root: bool = False
    left_behind: tuple[str, ...] = ()


class ExtractImported(Body, frozen=True):
    """Rows of `table` that came with an organisation: what events that name several customers said of it there.

    `rows` is a JSON list of rows. The first factory's signature is all that stands behind them.
    """

    organisation: str
    origin: str
    table: str
    rows: str


KINDS: dict[str, type[Body]] = {
    "organisation.exported": OrganisationExported,
    "organisation.imported": OrganisationImported,
    "record.imported": RecordImported,
    "extract.imported": ExtractImported,
}
