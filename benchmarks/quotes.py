"""How long a quote takes on a full calendar: 10,000 overlapping bookings at 80 % fill on 1,250 nodes with racks.

    python benchmarks/quotes.py [--bookings 10000] [--fill 0.8] [--quotes 400] [--seed 1]

Thread CPU of `core/booking/quote.options`, with running work on every other node, prices and carbon by the hour.
"""

import argparse
import heapq
import random
import time

from eisbach.core.booking.quote import Offer, options
from eisbach.core.booking.rates import Rates
from eisbach.core.booking.timetable import Ask, Timetable
from eisbach.core.capacity.calendar import Calendar, Entry, EntryKind
from eisbach.core.capacity.fleet import Fleet
from eisbach.core.capacity.inventory import Node
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS

NODES, RACK, ROW = 1250, 8, 16
NOW = 29_700_000
SIZES = (1, 1, 2, 2, 4, 4, 8, 8, 16, 32)
HOURS = (6, 12, 24, 48, 72, 168)
PAUSE = 0.8
"""Pauses come on top of what racks of unlike bookings leave between them."""


def main() -> None:
    """Fill a calendar, ask for quotes of many sizes, print one line."""
    said = argparse.ArgumentParser(description=__doc__)
    said.add_argument("--bookings", type=int, default=10_000)
    said.add_argument("--fill", type=float, default=0.8)
    said.add_argument("--quotes", type=int, default=400)
    said.add_argument("--seed", type=int, default=1)
    given = said.parse_args()
    chance = random.Random(given.seed)
    fleet = Fleet()
    names = [f"n{nth:04d}" for nth in range(NODES)]
    for nth, name in enumerate(names):
        rack = nth // RACK
        fleet.add(
            Node(node=name, pool="p", site="s", flavour="b200.8", cpu_milli=112_000, memory_mib=2_000_000, gpus=8,
                 hall=f"h{rack // (ROW * 3)}", row=f"w{rack // ROW}", rack=f"r{rack}")
        )  # fmt: skip
    calendar = Calendar(fleet)
    horizon, filled = fill(calendar, names, chance, given.bookings, given.fill)
    timetable = Timetable(fleet.nodes.values(), calendar)
    ready = {name: NOW + chance.randrange(1, 24 * 60) for name in names[::2]}
    shape = [chance.randrange(400, 1600) for _ in range(24)]
    offer = Offer(
        stand=timetable.stands["s", "b200.8"],
        price_hour=44_000_000,
        price=Rates(lambda at: shape[at // HOUR_MS % 24]),
        draw_mw=17_000_000,
        carbon=Rates(lambda at: 400 + shape[(at // HOUR_MS + 5) % 24] // 10),
    )
    took: list[float] = []
    answered = 0
    for _ in range(given.quotes):
        length = chance.choice(HOURS) * 60
        ask = Ask(
            nodes=chance.choice((1, 2, 4, 8, 16, 32, 64)),
            length=length,
            first=NOW + 5,
            last=NOW + max(1, horizon - length),
            within=chance.choice(("", "", "rack", "row", "hall")),
        )
        begun = time.thread_time_ns()
        found = options([offer], ask, ready, ())
        took.append((time.thread_time_ns() - begun) / 1e6)
        answered += bool(found)
    took.sort()
    p50, p99 = took[len(took) // 2], took[min(len(took) - 1, len(took) * 99 // 100)]
    print(
        f"quotes: p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {took[-1]:.1f} ms of CPU; {given.quotes} quotes ({answered} with options) on "
        f"{len(calendar)} bookings of {NODES} nodes at {filled:.0%} fill over {horizon // 1440} days; "
        f"python benchmarks/quotes.py --bookings {given.bookings} --fill {given.fill} --quotes {given.quotes} --seed {given.seed}"
    )


def fill(calendar: Calendar, names: list[str], chance: random.Random, bookings: int, share: float) -> tuple[int, float]:
    """Enter so many bookings, each on the racks that are free first, after a pause; return the horizon in minutes and the fill."""
    racks = [(NOW, names[at : at + RACK]) for at in range(0, len(names), RACK)]
    free_from = dict.fromkeys(names, NOW)
    booked: list[tuple[int, int, int]] = []
    for number in range(bookings):
        size, minutes = chance.choice(SIZES), chance.choice(HOURS) * 60
        taken = [heapq.heappop(racks) for _ in range(-(-size // RACK))]
        chosen = sorted((name for _, rack in taken for name in rack), key=free_from.__getitem__)[:size]
        begin = max(free_from[name] for name in chosen) + int(chance.expovariate(1 / (minutes * (1 - share) * PAUSE)))
        entry = Entry(EntryKind.BOOKING, f"b{number}", begin * MINUTE_MS, (begin + minutes) * MINUTE_MS, tuple(chosen))
        calendar.add(entry)
        booked.append((begin, begin + minutes, size))
        for name in chosen:
            free_from[name] = begin + minutes
        for _, rack in taken:
            heapq.heappush(racks, (min(free_from[name] for name in rack), rack))
    horizon = min(free_from.values())
    used = sum((min(end, horizon) - begin) * size for begin, end, size in booked if begin < horizon)
    return horizon - NOW, used / (len(names) * (horizon - NOW))


if __name__ == "__main__":
    main()
