"""A server that writes until it is killed: commits job after job and tells each that is durable.

python -m tests.stores.endless_writer FILE
"""

import sys
from pathlib import Path

from eisbach.stores.sql.opening import open_sqlite
from tests.contracts.history import History


def main(file: str) -> None:
    """Continue the history in the file."""
    store = open_sqlite(Path(file))
    epoch = store.take_leadership()
    history = History()
    if store.log_size() == 0:
        store.commit(history.founding(), epoch)
    else:
        for event in store.events(limit=1_000_000):
            history.frontier.append(event.leaf)
        history.seq = store.log_size()
    while True:
        jobs = [f"job_{history.seq:08d}_{number}" for number in range(5)]
        store.commit(history.headed(history.submitted(*jobs)), epoch)
        sys.stdout.write(f"{history.seq}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
