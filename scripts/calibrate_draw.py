"""Fits the draw of GPU servers by load to measured distributions, and prints the constants of core/power/draw.py.

The data (InternLM/AcmeTrace at 6d6ac9c, CC-BY-4.0; Hu et al., NSDI 2024) are distributions, not pairs: how busy the streaming
multiprocessors of Seren's GPUs were, and what its GPU servers drew. The fit assumes that the busiest hundredth of the
one is the hungriest hundredth of the other (comonotone coupling), and lays a line with a few bends through the 99 pairs
by least squares. Usage: python scripts/calibrate_draw.py acme_util_power_cdfs.csv.gz
"""

import csv
import gzip
import sys
from collections import defaultdict
from pathlib import Path

BENDS = (0.0, 45.0, 60.0, 73.0, 85.0, 100.0)
"""Activity in percent at which the line bends."""
ACTIVITY = ("util_gpu_seren", 4)
SERVERS = ("server_power", 0)
CPU_SERVERS = ("server_power", 2)


def read(path: Path) -> dict[tuple[str, int], list[float]]:
    """Return the values of each series in the order of their percentiles."""
    found: dict[tuple[str, int], list[float]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["file"], int(row["series"])].append(float(row["value"]))
    return found


def quantile(values: list[float], percent: float) -> float:
    """Return a value of an ascending series of 1,000 percentiles."""
    return values[min(len(values) - 1, round(percent / 100 * (len(values) - 1)))]


def weights(activity: float) -> list[float]:
    """Return how much each bend counts for the line at an activity."""
    parts = [0.0] * len(BENDS)
    for at in range(len(BENDS) - 1):
        if activity <= BENDS[at + 1]:
            share = (activity - BENDS[at]) / (BENDS[at + 1] - BENDS[at])
            parts[at], parts[at + 1] = 1 - share, share
            break
    return parts


def least_squares(rows: list[list[float]], targets: list[float]) -> list[float]:
    """Return what solves the normal equations, by elimination with pivots."""
    size = len(rows[0])
    matrix = [[sum(row[i] * row[j] for row in rows) for j in range(size)] for i in range(size)]
    right = [sum(row[i] * target for row, target in zip(rows, targets, strict=True)) for i in range(size)]
    for column in range(size):
        pivot = max(range(column, size), key=lambda i: abs(matrix[i][column]))
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        right[column], right[pivot] = right[pivot], right[column]
        for i in range(column + 1, size):
            factor = matrix[i][column] / matrix[column][column]
            matrix[i] = [a - factor * b for a, b in zip(matrix[i], matrix[column], strict=True)]
            right[i] -= factor * right[column]
    solution = [0.0] * size
    for i in reversed(range(size)):
        known = sum(matrix[i][j] * solution[j] for j in range(i + 1, size))
        solution[i] = (right[i] - known) / matrix[i][i]
    return solution


def main() -> None:
    """Fit and print."""
    series = read(Path(sys.argv[1]))
    percents = list(range(1, 100))
    activity = [quantile(series[ACTIVITY], percent) for percent in percents]
    power = [quantile(series[SERVERS], percent) for percent in percents]
    # relative errors count: a watt matters less where many are drawn
    rows = [[part / watt for part in weights(a)] for a, watt in zip(activity, power, strict=True)]
    fitted = least_squares(rows, [1.0] * len(power))
    idle, full = fitted[0], fitted[-1]
    print(f"idle {idle:.0f} W, at full activity {full:.0f} W, highest measured {series[SERVERS][-1]:.0f} W")
    shares = (round((watt - idle) / (full - idle) * 1000) for watt in fitted)
    print("CURVE =", tuple((round(bend * 10), share) for bend, share in zip(BENDS, shares, strict=True)))
    print(f"idle is {idle / full * 1000:.0f} thousandths of full")
    busy = [a for a in activity if a > 1]
    print(f"mean activity of the busy: {sum(busy) / len(busy) * 10:.0f} thousandths")
    print(f"CPU servers: p5 {quantile(series[CPU_SERVERS], 5):.0f} W, highest {series[CPU_SERVERS][-1]:.0f} W")
    for percent in (10, 25, 33, 50, 75, 90, 95, 99):
        a = quantile(series[ACTIVITY], percent)
        model = sum(part * watt for part, watt in zip(weights(a), fitted, strict=True))
        measured = quantile(series[SERVERS], percent)
        print(f"p{percent}: activity {a:.1f} %, measured {measured:.0f} W, model {model:.0f} W, {model / measured * 100 - 100:+.1f} %")


if __name__ == "__main__":
    main()
