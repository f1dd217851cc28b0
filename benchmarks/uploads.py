"""How fast a large file comes in by tus, beside a plain copy with sha256 of the same file, and how much memory the server takes.

python benchmarks/uploads.py [GIGABYTES]     (1 by default; in rounds, interleaved; the median of three)
"""

import hashlib
import http.client
import os
import statistics
import sys
import time
from base64 import b64encode
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.live_factory import LiveFactory

PIECE = 1024 * 1024
ROUNDS = 3


def main(gigabytes: float) -> None:
    """Print one line of figures."""
    factory = LiveFactory()
    source = factory.folder / "source.bin"
    size = int(gigabytes * 10**9)
    try:
        write_source(source, size)
        factory.start()
        project = factory.project()
        rounds = ROUNDS if gigabytes <= 1 else 1
        plain, sent = [], []
        for number in range(rounds):
            plain.append(size / seconds_of(lambda: copy_with_digest(source, factory.folder / "copy.bin")) / 1e6)
            sent.append(size / seconds_of(lambda name=f"big-{number}": upload(factory, project, source, name)) / 1e6)
        assert factory.process is not None
        peak = peak_mib(factory.process.pid)
        copied, came = statistics.median(plain), statistics.median(sent)
        print(
            f"upload of {gigabytes:g} GB by tus: {came:.0f} MB/s; plain copy, sha256 and fsync: {copied:.0f} MB/s; "
            f"ratio {came / copied:.2f}; peak memory of the server {peak} MiB; median of {rounds}; "
            f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; python benchmarks/uploads.py {gigabytes:g}"
        )
    finally:
        factory.close()


def write_source(path: Path, size: int) -> None:
    """Write a file of random bytes."""
    with path.open("wb") as file:
        for _ in range(size // PIECE):
            file.write(os.urandom(PIECE))
        file.write(os.urandom(size % PIECE))


def copy_with_digest(source: Path, target: Path) -> None:
    """Copy a file as anybody would who wants its hash."""
    digest = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as written:
        while piece := read.read(PIECE):
            digest.update(piece)
            written.write(piece)
        written.flush()
        os.fsync(written.fileno())


def upload(factory: LiveFactory, project: str, source: Path, name: str) -> None:
    """Send a file in one request; return once it is a data set."""
    size = source.stat().st_size
    connection = http.client.HTTPConnection("127.0.0.1", factory.port, timeout=600)
    headers = {"Authorization": f"Bearer {factory.token}", "Tus-Resumable": "1.0.0"}
    announced = {"Upload-Length": str(size), "Upload-Metadata": f"filename {b64encode(name.encode()).decode()}"}
    connection.request("POST", f"/v1/projects/{project}/uploads", headers={**headers, **announced})
    answer = connection.getresponse()
    answer.read()
    piece = {"Upload-Offset": "0", "Content-Length": str(size), "Content-Type": "application/offset+octet-stream"}
    with source.open("rb") as file:
        pieces = iter(lambda: file.read(PIECE), b"")
        connection.request("PATCH", answer.headers["Location"], pieces, {**headers, **piece})
        done = connection.getresponse()
        done.read()
    connection.close()
    assert done.status == 204, done.status


def seconds_of(work: object) -> float:
    """Return how long a call takes."""
    begun = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - begun


def peak_mib(pid: int) -> int:
    """Return the most memory a process ever had in it (VmHWM)."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1)
