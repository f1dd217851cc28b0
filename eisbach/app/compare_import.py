"""What arrived against what left: an imported organisation compared with its kept package, figure by figure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from eisbach.app.data_shelves import known, shelf_of
from eisbach.app.event_codec import open_event
from eisbach.app.events_exit import RecordImported
from eisbach.app.exit_catalogue import KEPT_TABLES
from eisbach.app.exit_files import whole_data_sets
from eisbach.app.import_organisation import damaged
from eisbach.app.package_tables import balances_of, derive
from eisbach.app.projections import PRIMARY_KEYS
from eisbach.app.read_package import CheckedPackage, read_package
from eisbach.core.log.head import parse_verifier_key
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.objects import ObjectDamaged
from eisbach.ports.packages import NoPackage
from eisbach.ports.store import Row

if TYPE_CHECKING:
    from eisbach.app.application import Application

PAGE = 1000
PLACES_HERE = frozenset(
    {"transfer", "rule", "refusal", "setting", "seq", "found_seq", "ended_seq", "parent", "places", "copying"}
)
"""Columns that say where something stands here: its place in our log, our site, the organisation above."""


@dataclass(frozen=True, slots=True)
class Line:
    """One figure: what left the first factory, what arrived here, and what it is now, after the work since."""

    what: str
    there: str
    here: str
    now: str = ""

    @property
    def is_same(self) -> bool:
        """Return whether what arrived is what left."""
        return self.there == self.here


@dataclass(frozen=True, slots=True)
class Comparison:
    """An imported organisation with where it came from, and every figure."""

    imported: Row
    lines: list[Line]

    @property
    def is_same(self) -> bool:
        """Return whether everything that arrived is what left."""
        return all(line.is_same for line in self.lines)


def compare(application: "Application", organisation: str) -> Comparison | Refusal:
    """Check the kept package once more from its first byte on, and compare log, tables and balances with it."""
    imported = application.reader.row("imports", organisation)
    package = application.packages.kept(imported["manifest"]) if imported is not None else None
    if imported is None or package is None:
        what = "It was not imported into this factory" if imported is None else "Its package is not kept any more"
        return Refusal(Reason.NOT_FOUND, what, "Import it with `eisbach org import`")
    try:
        checked = read_package(package, parse_verifier_key(imported["key"]), application.packages.is_signed)
    except NoPackage as error:
        return damaged(error)
    records = list(_records(application, organisation))
    return Comparison(imported, [*_lines(application, checked, records)])


def _records(application: "Application", organisation: str) -> Iterator[tuple[int, RecordImported]]:
    """Yield each imported record of an organisation with its place in our log."""
    after = -1
    while page := application.reader.events_of(organisation, after_seq=after, limit=PAGE):
        after = page[-1].seq
        for sealed in page:
            body = open_event(sealed.data).body
            if isinstance(body, RecordImported) and body.organisation == organisation:
                yield sealed.seq, body


def _lines(
    application: "Application", checked: CheckedPackage, records: list[tuple[int, RecordImported]]
) -> Iterator[Line]:
    left = {one.sealed.seq: one.sealed.data for one in checked.events}
    equal = sum(1 for _, body in records if left.get(body.origin_seq) == body.data.encode())
    yield Line("events, byte for byte", str(len(left)), str(equal))
    yield Line("proofs under the head of the first factory", str(checked.manifest.events), str(len(checked.events)))
    yield Line("files with the SHA-256 on the signed list", str(len(checked.manifest.files)), str(len(checked.package.names) - 2))
    words = {text.id: text.content.decode() for text in checked.texts}
    arrived = derive(((seq, 0, body) for seq, body in records), words)
    documents = [name for name in checked.package.names if name.startswith("invoices/")]
    yield Line("documents of the first seller", str(len(checked.tables["invoices"])), str(len(documents)))
    whole = whole_data_sets(checked.tables)
    if whole:
        read = sum(1 for row in whole if _is_here(application, row))
        yield Line("data sets, every byte read again", str(len(whole)), str(read))
    for table in sorted({one.table for one in checked.extracts}):
        signed = [row for one in checked.extracts if one.table == table for row in msgspec.json.decode(one.rows)]
        there_too = sum(1 for row in signed if application.reader.row(table, row[PRIMARY_KEYS[table]]) == row)
        yield Line(f"rows of {table} (only signed)", str(len(signed)), str(there_too))
    for table, rows in checked.tables.items():
        if table in KEPT_TABLES:
            continue
        pairs = zip(rows.values(), arrived[table].values(), strict=False)
        same = sum(1 for there, here in pairs if _is_equal(there, here))
        now = sum(1 for key, row in arrived[table].items() if application.reader.row(table, key) == row)
        yield Line(f"rows of {table}", str(len(rows)), str(same), str(now))
    there = balances_of(checked.tables["transfers"].values())
    here = balances_of(arrived["transfers"].values())
    ledger = application.ask(lambda state, now: {name: state.ledger.balance(name) for name in there}).result()
    for name, balance in there.items():
        yield Line(f"balance of {name} (micro-euro)", str(balance), str(here.get(name, 0)), str(ledger[name]))


def _is_here(application: "Application", row: Row) -> bool:
    """Return whether a data set has the bytes that its first factory named; one that was deleted here since has none."""
    found = known(application, row["data_set"])
    if found is None:
        return False
    try:
        content = application.objects.verify(shelf_of(application, row["project"], found.places[0]), row["data_set"], row["size"])
    except ObjectDamaged:
        return False
    return (content.sha256, content.manifest) == (row["sha256"], row["manifest"])


def _is_equal(there: Row, here: Row) -> bool:
    return all(here.get(column) == value for column, value in there.items() if column not in PLACES_HERE)
