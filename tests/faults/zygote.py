"""Starts servers quickly: has everything imported once, then forks a server for each request on its standard input.

A child is the real server process of a home, `server_main.start`, and dies like one. Requests and answers are JSON
lines: `{"home": ..., "log": ..., "environment": {...}}` is answered with `{"pid": ...}`, `{"poll": pid}` with
`{"status": ...}`: None while it runs, its exit code, or minus the signal that ended it. `periods_ms` shortens rounds by
name, `settle_every_ms` the hour of the hourly settlement.
"""

import json
import os
import signal
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from eisbach import wiring
from eisbach.app import rounds, settle_usage
from eisbach.cli import server_main
from eisbach.cli.server_file import write_server_file
from eisbach.cli.server_process import this_process

OPEN_FILES_MAX = 1024


def main() -> None:
    """Serve requests until the standard input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"status": poll(request["poll"])} if "poll" in request else {"pid": fork_server(request)}
        print(json.dumps(answer), flush=True)


def poll(pid: int) -> int | None:
    """Return how a child ended, None while it runs."""
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def fork_server(request: dict[str, Any]) -> int:
    """Fork a server and return its pid."""
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            code = serve(request)
        except wiring.CannotStart as error:
            print(f"cannot start: {error}", file=sys.stderr, flush=True)
            code = 1
        except BaseException:  # noqa: BLE001  (whatever it is: it is the server's end and stands in its log)
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return pid


def serve(request: dict[str, Any]) -> int:
    """Be the server of a home."""
    home = Path(request["home"])
    os.setsid()
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDWR)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)
    os.closerange(3, OPEN_FILES_MAX)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(request["environment"])
    settle_usage.SETTLE_EVERY_MS = request.get("settle_every_ms", settle_usage.SETTLE_EVERY_MS)
    periods = request.get("periods_ms", {})
    wiring.ROUNDS = tuple(  # type: ignore[misc]
        replace(one, period_ms=periods.get(one.name, one.period_ms)) for one in rounds.ROUNDS
    )
    return server_main.start(
        home, "127.0.0.1", 0, lambda facts: write_server_file(home, this_process(facts.url, facts.first_token_path))
    )


if __name__ == "__main__":
    main()
