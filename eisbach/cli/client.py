"""The client of the API: one connection, JSON in and out, problems as errors. See docs/decisions for why not httpx."""

import http.client
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any
from urllib.parse import quote, urlencode, urlsplit

from eisbach import __version__
from eisbach.cli.errors import CliError, problem_error
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.simulated_sites import heard_of
from eisbach.settings import TIMEOUTS, Timeouts

PIECE_BYTES = 1 << 16
ANSWER_BYTES_MAX = 256 << 20
Json = dict[str, Any]


class ConnectionLost(Exception):
    """The connection broke, or the factory does not answer; whatever was asked may or may not have happened."""


class OpenAnswer:
    """An answer that is read piece by piece; closing it closes its connection."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self._response = response

    def __enter__(self) -> "OpenAnswer":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._response.close()
        self._connection.close()

    def read(self, size: int) -> bytes:
        """Return the next bytes, nothing at the end; raise ConnectionLost."""
        return self._try(self._response.read, size)

    def readline(self, size: int) -> bytes:
        """Return the next line, nothing at the end; raise ConnectionLost."""
        return self._try(self._response.readline, size)

    def _try(self, read: Callable[[int], bytes], size: int) -> bytes:
        try:
            return read(size)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ConnectionLost(_cause(error)) from error


class Client:
    """Talks to one factory as one identity. Not safe to share between threads."""

    def __init__(self, url: str, token: str | None, timeouts: Timeouts = TIMEOUTS) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._timeouts = timeouts
        self._connection: http.client.HTTPConnection | None = None
        self.server_version = ""

    def __del__(self) -> None:
        """A command ends with its client."""
        self.close()

    def get(self, path: str, **query: object) -> Any:
        """Return the answer of a read; None values in the query are left out."""
        return self._call("GET", path + query_text(query))

    def post(self, path: str, body: Json | None = None) -> Any:
        """Return the answer of a change. It carries an idempotency key, so repeating it after a break is safe."""
        return self._call("POST", path, body if body is not None else {})

    def put(self, path: str, body: Json) -> Any:
        """Return the answer of setting something to a value."""
        return self._call("PUT", path, body)

    def patch(self, path: str, body: Json) -> Any:
        """Return the answer of changing a part of something."""
        return self._call("PATCH", path, body)

    def delete(self, path: str) -> Any:
        """Return the answer of removing something."""
        return self._call("DELETE", path)

    def pages(self, path: str, **query: object) -> Iterator[Json]:
        """Yield the items of all pages, newest first."""
        cursor: object = None
        while True:
            page = self.get(path, **query, cursor=cursor)
            yield from page["items"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def upload(self, path: str, file: IO[bytes], length: int) -> Any:
        """Return the answer to sending a file's content as it is."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(length)}
        return self._decoded(self._send("POST", path, file, headers))

    def exchange(
        self, method: str, path: str, headers: Mapping[str, str], content: Iterator[bytes] | None = None
    ) -> tuple[Mapping[str, str], bytes]:
        """Return headers (names in small letters) and content of an answer, for protocols that speak in headers."""
        response = self._send(method, path, content, headers)
        if response.status >= 400:
            raise self._problem(response)
        return {name.lower(): value for name, value in response.headers.items()}, response.read(ANSWER_BYTES_MAX)

    def open(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET", /, **query: object
    ) -> OpenAnswer:
        """Return an open answer to read from piece by piece, on a connection of its own; raise for a problem.

        Raise ConnectionLost where no connection could be made or it broke at once.
        """
        connection = self._connect()
        try:
            connection.request(method, path + query_text(query), headers=self._headers(headers or {}))
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ConnectionLost(_cause(error)) from error
        if connection.sock is not None:
            connection.sock.settimeout(self._timeouts.stream_silent_s)
        answer = OpenAnswer(connection, response)
        if response.status >= 400:
            with answer:
                raise self._problem(response)
        return answer

    def unreachable(self, cause: object) -> CliError:
        """Return the error for a factory that does not answer."""
        return CliError(
            f"No factory answers at {self.url} ({cause})",
            "Start it with `eisbach up`, or choose another one with EISBACH_URL or `eisbach login`",
            ExitCode.UNAVAILABLE,
        )

    def _call(self, method: str, path: str, body: Json | None = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        headers = {} if content is None else {"Content-Type": "application/json"}
        return self._decoded(self._send(method, path, content, headers))

    def _send(
        self, method: str, path: str, content: bytes | IO[bytes] | Iterator[bytes] | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        """Send a request; once more on a new connection where a kept one had been closed meanwhile."""
        sent = self._headers(headers)
        if method == "POST":
            sent["Idempotency-Key"] = secrets.token_hex(16)
        for is_last in (False, True):
            was_open = self._connection is not None
            try:
                connection = self._connection = self._connection or self._connect()
                connection.request(method, path, body=content, headers=sent)
                response = connection.getresponse()
                heard_of(response.headers.get("Eisbach-Simulated", ""))
                return response
            except (OSError, http.client.HTTPException) as error:
                self.close()
                may_repeat = was_open and not is_last and (content is None or isinstance(content, bytes))
                if not may_repeat:
                    raise self.unreachable(_cause(error)) from error
        raise AssertionError("the loop returns or raises")

    def close(self) -> None:
        """Close the kept connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        if not parts.hostname:
            raise CliError(f"{self.url!r} is no address of a factory", "Write for example http://127.0.0.1:8470")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname, parts.port, timeout=self._timeouts.connect_s)
        try:
            connection.connect()
        except OSError as error:
            raise self.unreachable(_cause(error)) from error
        connection.sock.settimeout(self._timeouts.answer_s)
        return connection

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        headers = {"Accept": "application/json", "Eisbach-Client": f"eisbach-cli/{__version__}", **more}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        return headers

    def _decoded(self, response: http.client.HTTPResponse) -> Any:
        self.server_version = response.headers.get("Eisbach-Version", "")
        if response.status >= 400:
            raise self._problem(response)
        try:
            content = response.read(ANSWER_BYTES_MAX)
            return json.loads(content) if content else None
        except ValueError as error:
            raise self._nonsense(response, "no JSON") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self.unreachable(_cause(error)) from error

    def _problem(self, response: http.client.HTTPResponse) -> CliError:
        version = response.headers.get("Eisbach-Version", "")
        try:
            problem = json.loads(response.read(1 << 20) or b"{}")
        except (ValueError, OSError, http.client.HTTPException):
            problem = None
        if not isinstance(problem, dict):
            return self._nonsense(response, "no problem document")
        error = problem_error(response.status, problem)
        if error.code == ExitCode.DENIED and response.status == 401 and not error.do:
            error.do = "Give a token with EISBACH_TOKEN, or log in with `eisbach login`"
        if version and version != __version__:
            error.do = f"{error.do} (this is version {__version__}, the factory's is {version})".strip()
        return error

    def _nonsense(self, response: http.client.HTTPResponse, what: str) -> CliError:
        return CliError(
            f"What answers at {self.url} sent HTTP status {response.status} and {what}, so it is hardly a factory",
            "Check the address: EISBACH_URL, or `eisbach login`",
            ExitCode.UNAVAILABLE if response.status in (502, 503, 504) else ExitCode.FAILED,
        )


def query_text(query: Mapping[str, object]) -> str:
    """Return `?a=1&b=2` for the values that are not None, or nothing."""
    given = {key: value for key, value in query.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


def segment(text: str) -> str:
    """Return a text as one segment of a path."""
    return quote(text, safe="")


def _cause(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
