"""A raw HTTP client for load: keep-alive connections on one event loop, a request as soon as the last was answered.

python benchmarks/raw_client.py HOST PORT PATH TOKEN CONNECTIONS REQUESTS   (the body on standard input)

Prints one JSON line: seconds, statuses, latencies in ms (p50, p99), and the bodies' `job` fields where there are any.
"""

import asyncio
import json
import sys
import time


class Client(asyncio.Protocol):
    """One connection; `left` is the shared number of requests still to send."""

    def __init__(
        self, request: bytes, left: list[int], done: asyncio.Event, results: list[tuple[int, float, bytes]]
    ) -> None:
        self.request, self.left, self.done, self.results = request, left, done, results
        self.buffer = b""
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        if self.left[0] <= 0:
            self.transport.close()
            return
        self.left[0] -= 1
        self.sent_at = time.perf_counter()
        self.transport.write(self.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].lower()
        at = head.index(b"content-length:") + 15
        length = int(head[at : (head + b"\r\n").index(b"\r\n", at)])
        if len(self.buffer) < end + 4 + length:
            return
        body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
        self.results.append((int(head[9:12]), time.perf_counter() - self.sent_at, body))
        self.send()

    def connection_lost(self, error: Exception | None) -> None:
        self.done.set()


async def load(host: str, port: int, path: str, token: str, body: bytes, connections: int, requests: int) -> dict:
    """Send the requests and return what came back."""
    request = (
        f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    left, results, events = [requests], [], []
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    for _ in range(connections):
        done = asyncio.Event()
        events.append(done)
        await loop.create_connection(lambda done=done: Client(request, left, done, results), host, port)
    for done in events:
        await done.wait()
    seconds = time.perf_counter() - began
    statuses: dict[int, int] = {}
    for status, _, _ in results:
        statuses[status] = statuses.get(status, 0) + 1
    took = sorted(latency for _, latency, _ in results)
    jobs = [json.loads(answer).get("job") for status, _, answer in results if status == 202]
    return {
        "seconds": seconds,
        "statuses": statuses,
        "p50_ms": took[len(took) // 2] * 1000,
        "p99_ms": took[int(len(took) * 0.99)] * 1000,
        "jobs": jobs,
    }


def main() -> None:
    """Read the arguments, send, print."""
    host, port, path, token, connections, requests = sys.argv[1:7]
    body = sys.stdin.buffer.read()
    print(json.dumps(asyncio.run(load(host, int(port), path, token, body, int(connections), int(requests)))))


if __name__ == "__main__":
    main()
