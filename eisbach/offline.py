"""The second way into a home, for what is decided while no server runs: one command, decided, written, and let go again."""

from pathlib import Path

from eisbach.adapters.clocks import SystemClock
from eisbach.adapters.home_lock import HomeLock, HomeLocked
from eisbach.adapters.identifiers import SystemIds
from eisbach.adapters.signing import KeyFileError, load_key_file
from eisbach.app.applier import Applier
from eisbach.app.commands import Answer, Command
from eisbach.ports.store import NewerStore, StoreDamaged, StoreFull, StoreUnavailable
from eisbach.stores.sql.opening import open_sqlite
from eisbach.wiring import DATABASE, LOG_KEY, CannotStart


def decide(home: Path, command: Command) -> Answer:
    """Return the answer to a command on a home that no server holds; it stands in the log when this returns.

    The batch is one like any other: jobs that could start are planned with it, and the next server tells its engine. Raise
    CannotStart.
    """
    try:
        lock = HomeLock(home)
        try:
            store = open_sqlite(home / DATABASE)
            try:
                applier = Applier(store, SystemClock(), SystemIds(), load_key_file(home / LOG_KEY))
                answer = applier.perform(command)
                applier.drain()
                return answer.result(timeout=0)
            finally:
                store.close()
        finally:
            lock.release()
    except HomeLocked as error:
        raise CannotStart(f"{error}, or make sure that it answers") from error
    except (KeyFileError, StoreUnavailable, StoreDamaged, StoreFull, NewerStore, OSError) as error:
        raise CannotStart(f"Nothing could be put on record in {home}: {error}") from error
