"""Bring a database to the newest schema, all steps or none; and refuse one that a newer program wrote."""

from pathlib import Path
from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from eisbach.ports.store import NewerStore

_SCRIPTS = Path(__file__).with_name("migrations")
_ADVISORY_LOCK = 0x6569736261636801  # "eisbach", 1: one server migrates, the others wait


def newest_revision() -> str:
    """Return the revision this program writes."""
    return _scripts().get_current_head() or ""


def revision_of(connection: Connection) -> str | None:
    """Return the database's revision, or None where it holds no store yet. Raise NewerStore where it is unknown."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if found is None:
        return None
    if found not in {script.revision for script in _scripts().walk_revisions()}:
        raise NewerStore(
            f"the store was written by a newer version of the program (schema {found}, known up to"
            f" {newest_revision()}); it is left untouched: start that version, or restore a backup made by this one"
        )
    return str(found)


def migrate(connection: Connection) -> None:
    """Bring the database behind a connection in autocommit to the newest schema, in one transaction."""
    is_sqlite = connection.dialect.name == "sqlite"
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_sqlite else "BEGIN")
    try:
        if not is_sqlite:
            # a leader's short patience is for commits: a step that works long between two statements is no pause
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
        _climb(connection)
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        driver: Any = connection.connection.driver_connection
        driver.rollback()  # not a statement: on a full disk SQLite has rolled back already
        raise


def _climb(connection: Connection) -> None:
    scripts = _scripts()
    current = revision_of(connection)
    context = MigrationContext.configure(connection, opts={"transactional_ddl": False})  # the transaction is ours
    with Operations.context(context):
        for script in reversed(list(scripts.iterate_revisions("head", current or "base"))):
            script.module.upgrade()
    if current != newest_revision():
        context.stamp(scripts, "head")


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_SCRIPTS))
