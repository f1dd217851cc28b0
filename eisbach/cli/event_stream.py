"""Follows a stream of server-sent events over lost connections, from where it stopped."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from eisbach.cli.client import Client, ConnectionLost, OpenAnswer
from eisbach.cli.errors import CliError
from eisbach.cli.exit_codes import ExitCode
from eisbach.settings import TIMEOUTS, Timeouts

LINE_BYTES_MAX = 4 << 20
FIRST_PAUSE_S = 0.2
PAUSE_MAX_S = 3.0


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its kind, its data as JSON gave it, and the id to resume behind it."""

    kind: str
    data: Any
    id: str = ""


def parse_events(response: OpenAnswer) -> Iterator[ServerEvent]:
    """Yield the events of an open stream (WHATWG HTML, 9.2 server-sent events) until it ends; comments are passed over.

    Raise ConnectionLost when it breaks or is silent for too long.
    """
    kind, last_id = "message", ""
    data: list[str] = []
    while True:
        raw = response.readline(LINE_BYTES_MAX)
        if not raw:
            return
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line:
            if data:
                yield ServerEvent(kind, json.loads("\n".join(data)), last_id)
            kind, data = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            kind = value
        elif field == "id":
            last_id = value


class Follower:
    """Follows one stream to its end; tells once when the factory went away, and once when it is back."""

    def __init__(
        self, client: Client, path: str, tell: Callable[[str], None], timeouts: Timeouts = TIMEOUTS
    ) -> None:
        self._client = client
        self._path = path
        self._tell = tell
        self._timeouts = timeouts
        self._last_id = ""

    def events(self, **query: object) -> Iterator[ServerEvent]:
        """Yield events up to and with `end`; raise CliError when the factory stays away for too long."""
        response = self._open(query)
        while True:
            try:
                for event in parse_events(response):
                    if event.kind == "closing":
                        break
                    if event.id:
                        self._last_id = event.id
                    yield event
                    if event.kind == "end":
                        return
            except ConnectionLost:
                pass
            finally:
                response.close()
            response = self._reopen(query)

    def _open(self, query: dict[str, object]) -> OpenAnswer:
        headers = {"Accept": "text/event-stream"}
        if self._last_id:
            headers["Last-Event-ID"] = self._last_id
        return self._client.open(self._path, headers, **query)

    def _reopen(self, query: dict[str, object]) -> OpenAnswer:
        """Try until the factory is back. A connection that ends without a word and comes back at once is not told."""
        deadline = time.monotonic() + self._timeouts.reconnect_s
        pause, is_told = FIRST_PAUSE_S, False
        while True:
            time.sleep(pause)
            try:
                response = self._open(query)
            except (ConnectionLost, CliError) as error:
                may_come_back = isinstance(error, ConnectionLost) or error.code == ExitCode.UNAVAILABLE
                if not may_come_back or time.monotonic() > deadline:
                    raise self._given_up(error) from error
                if not is_told:
                    self._tell("The factory went away; the job does not depend on it. Looking for the factory ...")
                    is_told = True
                pause = min(pause * 1.6, PAUSE_MAX_S)
            else:
                if is_told:
                    self._tell("The factory is back; the log goes on where it stopped.")
                return response

    def _given_up(self, error: Exception) -> CliError:
        if isinstance(error, CliError) and error.code != ExitCode.UNAVAILABLE:
            return error
        return self._client.unreachable(f"for {self._timeouts.reconnect_s:.0f} s")
