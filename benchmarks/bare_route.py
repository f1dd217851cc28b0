"""The baseline of benchmarks/submissions.py: a bare FastAPI route whose rows a writer thread inserts in groups.

python benchmarks/bare_route.py DATABASE   (prints its port)

The same server settings, SQLite with WAL and synchronous=FULL; answered once the row is on disk. One row a request:
no identity, no validation, no price, no ledger, no log.
"""

import asyncio
import json
import queue
import socket
import sqlite3
import sys
import threading

import uvicorn
from fastapi import FastAPI, Request, Response


def main() -> None:
    """Serve until killed."""
    waiting: queue.SimpleQueue[tuple[bytes, asyncio.Future[int]]] = queue.SimpleQueue()
    app = FastAPI()

    @app.post("/jobs", status_code=202)
    async def submit(request: Request) -> Response:
        body = await request.body()
        json.loads(body)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiting.put((body, future))
        number = await future
        return Response(b'{"job":"%d"}' % number, status_code=202, media_type="application/json")

    def write() -> None:
        database = sqlite3.connect(sys.argv[1], isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, body BLOB)")
        number = 0
        while True:
            batch = [waiting.get()]
            while not waiting.empty():
                batch.append(waiting.get())
            rows = [(number + at, body) for at, (body, _) in enumerate(batch)]
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO jobs VALUES (?, ?)", rows)
            database.execute("COMMIT")
            answers = [(future, number + at) for at, (_, future) in enumerate(batch)]
            batch[0][1].get_loop().call_soon_threadsafe(settle, answers)
            number += len(batch)

    def settle(answers: list[tuple[asyncio.Future[int], int]]) -> None:
        for future, number in answers:
            future.set_result(number)

    threading.Thread(target=write, daemon=True).start()
    bound = socket.create_server(("127.0.0.1", 0))
    print(bound.getsockname()[1], flush=True)
    config = uvicorn.Config(app, loop="uvloop", http="httptools", ws="none", lifespan="off", log_level="error")
    uvicorn.Server(config).run(sockets=[bound])


if __name__ == "__main__":
    main()
