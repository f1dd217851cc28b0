"""What events that name several customers say of one of them: its own rows, with the factory's signature alone under them."""

from collections.abc import Iterator

import msgspec

from eisbach.app.events_exit import ExtractImported
from eisbach.app.exit_catalogue import EXTRACTS
from eisbach.app.package_tables import Tables
from eisbach.app.projections import PRIMARY_KEYS
from eisbach.ports.packages import NoPackage, Package
from eisbach.ports.store import Reader, Row

PAGE = 1000
ROWS_AN_EVENT = 200
ROWS_MAX = 500_000


def file_of(table: str) -> str:
    """Return where in a package the extract of a table stands."""
    return f"extracts/{table}.jsonl"


def rows_of_extract(reader: Reader, table: str, tables: Tables) -> Iterator[bytes]:
    """Yield the organisation's rows of a table as JSON lines, by key."""
    columns = EXTRACTS[table]
    for project in sorted(tables["projects"]):
        found: list[Row] = []
        cursor: str | None = None
        while True:
            page = reader.rows(table, {"project": project}, cursor=cursor, limit=PAGE)
            found += [row for row in page.rows if row["job"] in tables["jobs"]]
            cursor = page.next_cursor
            if cursor is None:
                break
        for row in sorted(found, key=lambda row: str(row[PRIMARY_KEYS[table]])):
            yield msgspec.json.encode({column: row[column] for column in columns}) + b"\n"


def read_extracts(package: Package, organisation: str, origin: str, tables: Tables) -> list[ExtractImported]:
    """Return the events that take a package's extracts in; raise NoPackage for rows that are not the organisation's.

    A site of the first factory is named `site@origin` here: its sums are never mixed with those of a site of ours.
    """
    events: list[ExtractImported] = []
    for table, columns in EXTRACTS.items():
        name = file_of(table)
        if name not in package.names:
            continue
        rows = [_row(name, line, columns, tables, origin) for line in b"".join(package.read(name)).splitlines()]
        if len(rows) > ROWS_MAX or len({row[PRIMARY_KEYS[table]] for row in rows}) != len(rows):
            raise NoPackage(name, f"it has more than {ROWS_MAX} rows, or one twice")
        for first in range(0, len(rows), ROWS_AN_EVENT):
            data = msgspec.json.encode(rows[first : first + ROWS_AN_EVENT]).decode()
            events.append(ExtractImported(organisation=organisation, origin=origin, table=table, rows=data))
    return events


def _row(name: str, line: bytes, columns: tuple[str, ...], tables: Tables, origin: str) -> Row:
    try:
        row: Row = msgspec.json.decode(line, type=dict[str, str | int | None])
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise NoPackage(name, f"a row cannot be read: {error}") from error
    if tuple(row) != columns:
        raise NoPackage(name, f"a row has other columns than {', '.join(columns)}")
    job = tables["jobs"].get(row["job"])
    if job is None or job["project"] != row["project"] or not str(row[columns[0]]).startswith(f"{row['job']}/"):
        raise NoPackage(name, f"a row is about {row['job']}, which is not in the package")
    if "@" not in row["site"]:
        row["site"] = f"{row['site']}@{origin}"
    return row
