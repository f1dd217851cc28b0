"""The files of an organisation beside its log: what jobs wrote and left, and the working directories they started from."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from eisbach.app import read_invoices
from eisbach.app.data_shelves import DISK_FULL, shelf_of
from eisbach.app.exit_catalogue import EXTRACTS
from eisbach.app.extracts import file_of, rows_of_extract
from eisbach.app.package_tables import Tables
from eisbach.app.state_data import Stage
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.engine import CanKeepArtifacts, CanStreamLogs
from eisbach.ports.objects import ObjectsFull, Shelf, UploadBusy
from eisbach.ports.packages import Member, NoPackage, Package
from eisbach.ports.store import Row

if TYPE_CHECKING:
    from eisbach.app.application import Application

LINES = 1000
PIECE = 1 << 20


def files_of(application: "Application", tables: Tables) -> Iterator[tuple[Member, bool]]:
    """Yield each file, and whether an event of the log commits to its bytes. What expired is not there any more."""
    yield from _archives(application, tables)
    yield from _invoices(application, tables)
    yield from _data_sets(application, tables)
    for table in EXTRACTS:
        with application.packages.spool(file_of(table), rows_of_extract(application.reader, table, tables)) as extract:
            if extract.size:
                yield extract, False
    engine = application.engine
    for attempt, row in sorted(tables["attempts"].items()):
        folder = f"jobs/{row['job']}/{attempt}"
        if isinstance(engine, CanStreamLogs):
            with application.packages.spool(f"{folder}/log.jsonl", _log_lines(engine, attempt)) as log:
                if log.size:
                    yield log, False
        if isinstance(engine, CanKeepArtifacts):
            for kept in engine.artifacts(attempt):
                yield Member(f"{folder}/outputs/{kept.path}", kept.size, engine.read_artifact(attempt, kept.path)), False


def restore_files(application: "Application", package: Package, tables: Tables, site: str) -> Refusal | None:
    """Put an organisation's files to where work finds them; safe to repeat. The package itself keeps the others."""
    return _restore_archives(application, package, tables) or _restore_data_sets(application, package, tables, site)


def _restore_archives(application: "Application", package: Package, tables: Tables) -> Refusal | None:
    for archive in sorted({row["digest"] for row in tables["archives"].values()}):
        name = _archive_name(archive)
        if name not in package.names or application.archives.path_of(archive) is not None:
            continue
        with application.archives.receive() as incoming:
            for piece in package.read(name):
                if (refusal := incoming.write(piece)) is not None:
                    return refusal
            if (refusal := application.archives.check(incoming.path)) is not None:
                return refusal
            kept = incoming.keep(archive)
            if isinstance(kept, Refusal):
                return kept
    return None


def _restore_data_sets(application: "Application", package: Package, tables: Tables, site: str) -> Refusal | None:
    for row in whole_data_sets(tables):
        shelf = Shelf(site, tables["projects"][row["project"]]["organisation"])
        name, size = _data_name(row), row["size"]
        try:
            with application.objects.append(shelf, row["data_set"], size) as incoming:
                skipped = 0
                for piece in package.read(name):
                    fresh = piece[max(0, incoming.offset - skipped) :] if skipped < incoming.offset else piece
                    skipped += len(piece)
                    if fresh:
                        incoming.write(fresh)
            content = application.objects.seal(shelf, row["data_set"], size)
        except ObjectsFull:
            return DISK_FULL
        except UploadBusy:
            return Refusal(Reason.OVERLOADED, "The same package comes in twice at this moment", "Repeat it when the other is done")
        if (content.sha256, content.manifest) != (row["sha256"], row["manifest"]):
            application.objects.remove(shelf, row["data_set"])
            raise NoPackage(name, "its chunks are not those that the log names")
    return None


def check_files(package: Package, digests: dict[str, str], tables: Tables) -> None:
    """Raise NoPackage where a file is not the one that an event commits to; `digests` are those of the package's files."""
    for row in tables["archives"].values():
        name = _archive_name(row["digest"])
        if name in digests and row["digest"] != f"sha256:{digests[name]}":
            raise NoPackage(name, "it is not the working directory that the log names")
    for row in whole_data_sets(tables):
        name = _data_name(row)
        if digests.get(name) != row["sha256"] or package.size(name) != row["size"]:
            raise NoPackage(name, "it is not the data set that the log names")
    for number, row in tables["invoices"].items():
        name = _invoice_name(number)
        if name in digests and row["file_digest"] != digests[name]:
            raise NoPackage(name, "it is not the document that the log names")


def _archives(application: "Application", tables: Tables) -> Iterator[tuple[Member, bool]]:
    for archive in sorted({row["digest"] for row in tables["archives"].values()}):
        path = application.archives.path_of(archive)
        if path is not None:
            yield Member(_archive_name(archive), path.stat().st_size, _pieces_of(path)), True


def _pieces_of(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _invoices(application: "Application", tables: Tables) -> Iterator[tuple[Member, bool]]:
    for number in sorted(tables["invoices"]):
        office = application.office
        content = read_invoices.file_of(application.reader, office, number) if office is not None else None
        if isinstance(content, bytes):
            yield Member(_invoice_name(number), len(content), (content,)), True


def whole_data_sets(tables: Tables) -> list[Row]:
    """Return the rows of the data sets whose bytes are there."""
    return [row for _, row in sorted(tables["data_sets"].items()) if row["stage"] == Stage.READY.value]


def _data_sets(application: "Application", tables: Tables) -> Iterator[tuple[Member, bool]]:
    for row in whole_data_sets(tables):
        shelf = shelf_of(application, row["project"], row["places"].split()[0])
        pieces = application.objects.read(shelf, row["data_set"], 0, row["size"])
        yield Member(_data_name(row), row["size"], pieces), True


def _data_name(row: Row) -> str:
    """Return where a data set lies: under its id, with the name its owner gave it (empty once erased)."""
    return f"data/{row['data_set']}/{row['name'] or 'data'}"


def _invoice_name(number: str) -> str:
    return f"invoices/{number}.xml"


def _archive_name(archive: str) -> str:
    return f"archives/{archive.removeprefix('sha256:')}.tar"


def _log_lines(engine: CanStreamLogs, attempt: str) -> Iterator[bytes]:
    offset = 0
    while True:
        lines, offset = engine.read_log(attempt, offset, LINES)
        for line in lines:
            said = {"at_ms": line.at_ms, "rank": line.rank, "stream": line.stream, "text": line.text, "is_part": line.is_part}
            yield msgspec.json.encode(said) + b"\n"
        if not lines:
            return
