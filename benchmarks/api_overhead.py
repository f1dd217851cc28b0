"""What a submission costs in the API: microseconds of the event loop's CPU, beside a bare FastAPI route.

python -m benchmarks.api_overhead [--submissions N] [--rounds N]

Both are called as ASGI applications in one process (no sockets, no HTTP parser), rounds interleaved, the median of the
rounds is shown. Ours: token, policy, JSON, task file, idempotency key, the way to the applier and back (a stub answers at
once), problem and version headers. The bare route: a pydantic body and a dictionary as its answer.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from statistics import median
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from eisbach.adapters.cedar import CedarAuthoriser
from eisbach.api.server import create_app
from eisbach.app.commands import Actor, Role
from eisbach.ports.authoriser import Resource

PROJECT = "prj_01jz0000000000000000000000"
SECRET = "eis_0123456789abcdefghijklmnopqrstuvwxyz"
TASK = {
    "name": "train",
    "run": "python train.py --epochs 3",
    "resources": {"cpus": 4, "memory": "8GB"},
    "envs": {"SEED": "1"},
    "time_limit": "2h",
}
REPLY = {
    "job": "job_01jz0000000000000000000000",
    "name": "train",
    "project": PROJECT,
    "state": "waiting",
    "reason": "",
    "cap": 2_000_000,
    "submitted_ms": 1_780_000_000_000,
}


class Stub:
    """An application that accepts everything at once."""

    authoriser = CedarAuthoriser()

    def __init__(self) -> None:
        self._actors = {sha256(SECRET.encode()).digest(): Actor(token="tok_1", role=Role.MEMBER, project=PROJECT)}

    def actor_of(self, secret: str) -> Actor | None:
        """Return who holds a secret."""
        return self._actors.get(sha256(secret.encode()).digest())

    def resource_of(self, kind: str, name: str) -> Resource | None:
        """Return where a project belongs."""
        return Resource(kind, ("org_01jz0000000000000000000000",), name)

    def post(self, command: object, key: object, mailbox: object, ticket: "asyncio.Future[Any]") -> None:
        """Accept a command."""
        ticket.set_result(REPLY)


class BareTask(BaseModel):
    """The body of the bare route."""

    name: str
    run: str
    resources: dict[str, Any]
    envs: dict[str, str]
    time_limit: str


class BareBody(BaseModel):
    """The body of the bare route, one level up."""

    task: BareTask


def bare_app() -> FastAPI:
    """Return an app with one route that does nothing but read its body."""
    app = FastAPI()

    @app.post("/v1/projects/{project}/jobs", status_code=202)
    async def submit(project: str, body: BareBody) -> dict[str, Any]:
        return REPLY

    return app


async def call(app: Callable[..., Awaitable[None]], number: int) -> int:
    """Send one submission and return the status of its answer."""
    body = json.dumps({"task": TASK}).encode()
    path = f"/v1/projects/{PROJECT}/jobs"
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "POST",
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "state": {},
        "headers": [
            (b"host", b"127.0.0.1"), (b"authorization", f"Bearer {SECRET}".encode()),
            (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()),
            (b"idempotency-key", f"{number:032d}".encode()), (b"eisbach-client", b"bench"),
        ],
    }  # fmt: skip
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    await app(scope, receive, send)
    return status


async def measure(app: Callable[..., Awaitable[None]], submissions: int) -> float:
    """Return microseconds of this thread's CPU for each submission."""
    begun = time.thread_time_ns()
    for number in range(submissions):
        status = await call(app, number)
    spent = time.thread_time_ns() - begun
    assert status == 202, status
    return spent / submissions / 1000


async def measure_all(submissions: int, rounds: int) -> tuple[float, float]:
    """Return the medians of ours and of the bare route."""
    ours, bare = create_app(Stub()), bare_app()  # type: ignore[arg-type]
    await measure(ours, 200)
    await measure(bare, 200)
    spent = [(await measure(ours, submissions), await measure(bare, submissions)) for _ in range(rounds)]
    return median(one[0] for one in spent), median(one[1] for one in spent)


def main() -> None:
    """Print one line of figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    ours, bare = asyncio.run(measure_all(given.submissions, given.rounds))
    print(
        f"api_overhead: {ours:.0f} us CPU a submission in the API, bare FastAPI route {bare:.0f} us, "
        f"ratio {ours / bare:.2f} (python -m benchmarks.api_overhead)"
    )


if __name__ == "__main__":
    main()
