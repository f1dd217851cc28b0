"""What is sold of a pool against what it has (DESIGN, invariant 1), reckoned from the books of events alone."""

from collections import Counter
from collections.abc import Iterator

from eisbach.core.jobs.request import CapacityClass
from eisbach.twin.books import WHOLE_GPU, Books


def of_capacity(books: Books, now: int) -> Iterator[str]:
    """Yield pools in which more is booked and placed than is healthy, and bookings that count on nodes that are lost.

    Of each open booking counts the larger one of what was booked, with what it lost, and what its owner has placed; lost and
    not replaced is the recorded shortfall. Work that still holds a lost node is about to end and holds nothing of the pool. What was
    planned to be gone by now is there since its engine is late or silent, and that is no sale. Of promises none
    is due and open while a world is at rest: those that are, the books of promises find overdue.
    """
    asked, has = Counter[str](), Counter[str]()
    for book in books.nodes.values():
        has[book.pool] += 0 if book.is_lost else book.gpus * WHOLE_GPU
    placed = _placed(books, now)
    for name, booked in books.bookings.open.items():
        if not booked.from_ms <= now < booked.until_ms:
            continue
        for node in booked.nodes:
            if books.nodes[node].is_lost:
                yield f"1: {name} counts on {node}, which is lost, and nobody recorded a shortfall"
        of_pool = Counter[str]()
        for node in (*booked.nodes, *booked.lost):
            of_pool[books.nodes[node].pool] += books.nodes[node].gpus * WHOLE_GPU
        for node in booked.lost:
            has[books.nodes[node].pool] += books.nodes[node].gpus * WHOLE_GPU
        for pool, gpu_milli in of_pool.items():
            asked[pool] += max(gpu_milli, placed.pop((name, pool), 0))
    for (_, pool), gpu_milli in placed.items():
        asked[pool] += gpu_milli
    for pool, gpu_milli in asked.items():
        if gpu_milli > has[pool]:
            yield f"1: of {pool} {gpu_milli} thousandths of a GPU are booked or placed, and {has[pool]} are healthy or recorded as missing"


def _placed(books: Books, now: int) -> Counter[tuple[str, str]]:
    """Return (booking, pool) -> thousandths of GPUs that attempts hold there; the booking is empty for work outside of any. Spot does not count."""
    found = Counter[tuple[str, str]]()
    for attempt, tasks in books.held.items():
        submitted = books.jobs[books.job_of[attempt]].submitted
        if submitted.capacity_class == CapacityClass.SPOT.value or books.ends_ms[attempt] <= now:
            continue
        for node, _, _, gpus, milli in tasks:
            if not books.nodes[node].is_lost:
                found[submitted.booking, books.nodes[node].pool] += len(gpus) * milli
    return found
