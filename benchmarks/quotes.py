"""How long a quote takes on a full calendar: 10,000 overlapping bookings at 80 % fill on 1,250 nodes with racks.

    python benchmarks/quotes.py [--bookings 10000] [--fill 0.8] [--cap 0.9] [--quotes 400] [--seed 1]

Thread CPU of `core/booking/quote.options`, with running work on every other node, prices and carbon by the hour. With `--cap` the power of
the site carries that part of its nodes only, and a booking comes or goes before each quote, so that what is left is reckoned anew.
"""

import argparse
import heapq
import random
import time
from dataclasses import replace

from eisbach.core.booking.powered import Booked, Draw, PowerLeft
from eisbach.core.booking.quote import Offer, options
from eisbach.core.booking.rates import Rates
from eisbach.core.booking.timetable import FOREVER, Ask, Timetable
from eisbach.core.capacity.calendar import Calendar, Entry, EntryKind
from eisbach.core.capacity.fleet import Fleet
from eisbach.core.capacity.inventory import Node
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS

NODES, RACK, ROW = 1250, 8, 16
NODE_MW = 12_000_000
"""What a node draws above rest at most, in milliwatt."""
NOW = 29_700_000
SIZES = (1, 1, 2, 2, 4, 4, 8, 8, 16, 32)
HOURS = (6, 12, 24, 48, 72, 168)
MEAN = sum(HOURS) * 60 // len(HOURS)
"""Minutes of a booking, on average; the pauses between bookings follow from it and the fill."""


def main() -> None:
    """Fill a calendar, ask for quotes of many sizes, print one line."""
    said = argparse.ArgumentParser(description=__doc__)
    said.add_argument("--bookings", type=int, default=10_000)
    said.add_argument("--fill", type=float, default=0.8)
    said.add_argument("--cap", type=float, default=0.0, help="the part of the nodes that the site's power carries; 0: all")
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
        node_mw=NODE_MW,
    )
    carried = int(given.cap * NODES) * NODE_MW
    booked = Booked()
    for name in names:
        booked.put(name, draws(calendar, name))
    took: list[float] = []
    answered = 0
    for nth in range(given.quotes):
        length = chance.choice(HOURS) * 60
        ask = Ask(
            nodes=chance.choice((1, 2, 4, 8, 16, 32, 64)),
            length=length,
            first=NOW + 5,
            last=NOW + max(1, horizon - length),
            within=chance.choice(("", "", "rack", "row", "hall")),
        )
        begun = time.thread_time_ns()
        for name in names[nth % 64 * 8 :][:8] if carried else ():  # a booking of eight nodes went since, or came
            booked.put(name, draws(calendar, name)[nth // 64 % 2 :])
        power = PowerLeft([(FOREVER, carried)], booked) if carried else None
        found = options([replace(offer, power=power)], ask, ready, ())
        took.append((time.thread_time_ns() - begun) / 1e6)
        answered += bool(found)
    took.sort()
    p50, p99 = took[len(took) // 2], took[min(len(took) - 1, len(took) * 99 // 100)]
    print(
        f"quotes: p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {took[-1]:.1f} ms of CPU; {given.quotes} quotes ({answered} with options) on "
        f"{len(calendar)} bookings of {NODES} nodes at {filled:.0%} fill over {horizon // 1440} days; "
        f"python benchmarks/quotes.py --bookings {given.bookings} --fill {given.fill} --cap {given.cap} --quotes {given.quotes} --seed {given.seed}"
    )


def draws(calendar: Calendar, name: str) -> list[Draw]:
    """Return what the bookings of a node draw and when."""
    return [(entry.from_ms // MINUTE_MS, -(-entry.until_ms // MINUTE_MS), NODE_MW) for entry in calendar.on(name)]


def fill(calendar: Calendar, names: list[str], chance: random.Random, bookings: int, share: float) -> tuple[int, float]:
    """Enter so many bookings, each on the block of nodes that is free first; return the horizon in minutes and the fill."""
    free: list[tuple[int, int, tuple[str, ...]]] = [(NOW, at, block) for at, block in enumerate(blocks(names, chance))]
    heapq.heapify(free)
    booked: list[tuple[int, int, int]] = []
    for number in range(bookings):
        since, at, block = heapq.heappop(free)
        minutes = chance.choice(HOURS) * 60
        begin = since + int(chance.expovariate(share / (MEAN * (1 - share))))
        calendar.add(Entry(EntryKind.BOOKING, f"b{number}", begin * MINUTE_MS, (begin + minutes) * MINUTE_MS, block))
        booked.append((begin, begin + minutes, len(block)))
        heapq.heappush(free, (begin + minutes, at, block))
    horizon = free[0][0]
    used = sum(max(0, min(end, horizon) - begin) * size for begin, end, size in booked)
    return horizon - NOW, used / (len(names) * (horizon - NOW))


def blocks(names: list[str], chance: random.Random) -> list[tuple[str, ...]]:
    """Return all nodes in blocks of the sizes that bookings have, the larger ones whole racks."""
    found: list[tuple[str, ...]] = []
    at = 0
    while at < len(names):
        fitting = [size for size in SIZES if at % min(size, RACK) == 0 and at + size <= len(names)]
        size = chance.choice(fitting)
        found.append(tuple(names[at : at + size]))
        at += size
    return found


if __name__ == "__main__":
    main()
