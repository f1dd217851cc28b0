"""What a commit costs: microseconds a submitted job in batches of 30, and the fixed cost of a commit.

python -m benchmarks.store_commit [--postgres URL] [--memory] [--jobs N] [--folder PATH]

A job is what submit_job writes: 1 event, 1 subject, 1 row of jobs, 1 of transfers, 2 texts (one of 600 bytes), 1 reply,
about 2 nodes of the tree. Batches are made before the clock starts. `cpu` is the thread's own, `wall` has the disk in it.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

from eisbach.app import events as e
from eisbach.app.event_codec import seal
from eisbach.app.merge_rows import merge_rows
from eisbach.app.projections import rows_of, subjects_of
from eisbach.core.log.tree import Frontier
from eisbach.ports.store import Batch, Reply, Store, Text, TreeNode
from eisbach.stores.memory import MemoryStore
from eisbach.stores.sql.opening import open_postgres, open_sqlite

BATCH = 30
SPEC = b"x" * 600
SALT = bytes(16)


class Work:
    """Makes batches that follow one another."""

    def __init__(self, first_seq: int, frontier: Frontier) -> None:
        self.seq = first_seq
        self.frontier = frontier

    def batch(self, jobs: int) -> Batch:
        """Return a batch with that many submitted jobs."""
        batch = Batch()
        for _ in range(jobs):
            job = f"job_01jz{self.seq:022d}"
            project = f"prj_01jz{self.seq % 50:022d}"
            body = e.JobSubmitted(
                job=job, project=project, spec=sha256(SALT + SPEC).hexdigest(), capacity_class="on-demand", nodes=1,
                shapes=((8000, 65536, 1, "h200.1"),), prices=(2_000_000,), tariff="2025-01", limit_ms=3_600_000,
                grace_ms=30_000, attempts_max=2, cap=2_000_000, funded=True, period="2025-07", by="tok_01jz00000000",
                transfers=((f"{project}/available", f"{job}/reserved", 2_000_000, "reserve"),),
            )  # fmt: skip
            event = seal(self.seq, 1_750_000_000_000 + self.seq, body, SALT)
            batch.events.append(event)
            batch.subjects += [(subject, self.seq) for subject in subjects_of(body)]
            merge_rows(batch, rows_of(self.seq, event.at_ms, body, {f"{job}/name": "train"}))
            batch.texts += [Text(f"{job}/spec", SALT, SPEC), Text(f"{job}/name", SALT, b"train")]
            batch.replies.append(Reply(project, job, "0" * 64, event.at_ms, 201, b"y" * 200))
            batch.tree_nodes += [TreeNode(*node) for node in self.frontier.append(event.leaf)]
            self.seq += 1
        return batch


def figures(store: Store, jobs: int) -> dict[str, float]:
    """Commit that many jobs, with a warm-up before; then commits of one job, and reads."""
    epoch = store.take_leadership()
    work = Work(store.log_size(), frontier_of(store))
    for _ in range(20):
        store.commit(work.batch(BATCH), epoch)
    thirties = [costs(store, work.batch(BATCH), epoch) for _ in range(jobs // BATCH)]
    ones = [costs(store, work.batch(1), epoch) for _ in range(200)]
    wall_30, cpu_30 = (median(column) * 1e6 for column in zip(*thirties, strict=True))
    wall_1, cpu_1 = (median(column) * 1e6 for column in zip(*ones, strict=True))
    wall_job, cpu_job = (wall_30 - wall_1) / (BATCH - 1), (cpu_30 - cpu_1) / (BATCH - 1)
    newest = f"job_01jz{work.seq - 1:022d}"
    return {
        "job_us_cpu": sum(cpu for _, cpu in thirties) / jobs * 1e6,
        "job_us_wall": sum(wall for wall, _ in thirties) / jobs * 1e6,
        "more_jobs_us_cpu": cpu_job,
        "more_jobs_us_wall": wall_job,
        "fixed_us_cpu": cpu_1 - cpu_job,
        "fixed_us_wall": wall_1 - wall_job,
        "row_us": each(lambda: store.row("jobs", newest)),
        "page_of_100_us": each(lambda: store.rows("jobs", {"project": f"prj_01jz{7:022d}"}, limit=100), 200),
        "node_us": each(lambda: store.tree_node(0, 5)),
    }


def frontier_of(store: Store) -> Frontier:
    """Return the tree of the log as it stands."""
    frontier = Frontier()
    after = -1
    while page := store.events(after_seq=after):
        for event in page:
            frontier.append(event.leaf)
        after = page[-1].seq
    return frontier


def costs(store: Store, batch: Batch, epoch: int) -> tuple[float, float]:
    """Return wall and thread CPU seconds of one commit."""
    wall, cpu = time.perf_counter(), time.thread_time()
    store.commit(batch, epoch)
    return time.perf_counter() - wall, time.thread_time() - cpu


def each(call: Callable[[], Any], times: int = 2000) -> float:
    """Return the microseconds of one call, the median of five rounds."""
    rounds = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(times // 5):
            call()
        rounds.append((time.perf_counter() - start) / (times // 5) * 1e6)
    return median(rounds)


def main() -> None:
    """Print one line of figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--postgres", metavar="URL")
    options.add_argument("--memory", action="store_true")
    options.add_argument("--jobs", type=int, default=6000)
    options.add_argument("--folder", metavar="PATH", help="where SQLite's file is made for the run")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        store: Store
        if chosen.postgres:
            name, store = "postgres", open_postgres(chosen.postgres)
        elif chosen.memory:
            name, store = "memory", MemoryStore()
        else:
            name, store = "sqlite", open_sqlite(Path(folder) / "bench.db")
        found = figures(store, chosen.jobs)
        store.close()
    command = f"python -m benchmarks.store_commit --jobs {chosen.jobs}"
    command += " --memory" if chosen.memory else " --postgres URL" if chosen.postgres else ""
    print(
        f"store_commit {name}",
        *(f"{key}={value:.1f}" for key, value in found.items()),
        f"batch={BATCH}",
        f"# {command}",
    )


if __name__ == "__main__":
    main()
