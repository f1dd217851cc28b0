"""The plots of a report, as plotly takes them, each with the same as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import Any

from eisbach.core.jobs.request import WHOLE
from eisbach.core.vocabulary.quantities import SECOND_MS
from eisbach.twin.recorder import LARGEST, SIZES, Entry, Recorder
from eisbach.twin.world import World

POINTS_MAX = 1_500
"""A curve of more buckets is shown by means of several."""
ENTRIES_MAX = 400
"""Entries of the calendar that are drawn."""
COLOURS = {"sold": "#0b6e4f", "allocated": "#2f6fb0", "busy": "#c2571a", "waiting": "#8a8f98"}
PERCENTILES = (5, 25, 50, 75, 95)
CLASS_NAMES = {"reserved": "reserved", "on-demand": "on-demand", "spot": "spot"}


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot with its sentence of explanation, and its figures as a table. All texts in `spec` are escaped, those in the
    table are not."""

    id: str
    title: str
    about: str
    spec: dict[str, Any]
    head: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


def utilisation(recorder: Recorder, gpus: int) -> Plot:
    """Return the three utilisations over time, as percent of all GPUs of the sites, and what waits."""
    buckets = max(1, -(-(recorder.last_ms - recorder.begin_ms) // recorder.bucket_ms))
    step = -(-buckets // POINTS_MAX)
    at = [instant_text(recorder.begin_ms + nth * recorder.bucket_ms) for nth in range(0, buckets, step)]
    capacity = max(1, gpus * WHOLE)
    curves = {"sold": recorder.sold, "allocated": recorder.allocated, "busy": recorder.busy, "waiting": recorder.waiting}
    percent = {name: [round(100 * mean / capacity, 2) for mean in _thinned(curve.means(buckets), step)] for name, curve in curves.items()}
    data = []
    for name, y in percent.items():
        line = {"color": COLOURS[name], "width": 2, "dash": "dot" if name == "waiting" else "solid"}
        data.append({"type": "scatter", "mode": "lines", "name": name, "x": at, "y": y, "line": line, "yaxis": "y2" if name == "waiting" else "y"})
    layout = {
        "height": 420,
        "xaxis": {"type": "date", "anchor": "y2"},
        "yaxis": {"title": {"text": "% of all GPUs"}, "domain": [0.32, 1], "range": [0, 101]},
        "yaxis2": {"title": {"text": "waiting, %"}, "domain": [0, 0.22], "rangemode": "tozero"},
    }
    about = (
        "Sold: customers pay for it. Allocated: held by attempts, whether they use it or not. Busy: their tasks run. "
        "Below: what the jobs that wait ask for. "
        f"Means over {recorder.bucket_ms * step // 60_000} minutes."
    )
    rows = [[name, f"{sum(y) / len(y):.1f} %", f"{max(y):.1f} %"] for name, y in percent.items()]
    return Plot("utilisation", "Utilisation", about, {"data": data, "layout": layout}, ["", "mean", "highest"], rows)


def waits(recorder: Recorder) -> Plot:
    """Return how long jobs waited for their first start, by capacity class and size."""
    order = [*(name for name, _ in SIZES), LARGEST]
    classes = sorted({capacity_class for capacity_class, _ in recorder.waits_ms})
    data, rows = [], []
    for capacity_class in classes:
        sizes = [size for size in order if (capacity_class, size) in recorder.waits_ms]
        found = {size: sorted(recorder.waits_ms[capacity_class, size]) for size in sizes}
        five = {size: [_rank(found[size], percent) for percent in PERCENTILES] for size in sizes}
        data.append(
            {
                "type": "box", "name": escape(capacity_class), "x": sizes,
                **{key: [five[size][nth] / 3600 for size in sizes] for nth, key in enumerate(("lowerfence", "q1", "median", "q3", "upperfence"))},
            }
        )  # fmt: skip
        for size in sizes:
            mean = sum(found[size]) / len(found[size]) / SECOND_MS
            rows.append([capacity_class, size, f"{len(found[size]):,}", *(f"{one:,.0f} s" for one in (mean, *five[size][2:], found[size][-1] / SECOND_MS))])
    layout = {"height": 380, "boxmode": "group", "yaxis": {"title": {"text": "hours"}, "rangemode": "tozero"}, "xaxis": {"categoryorder": "array", "categoryarray": order}}
    head = ["class", "GPUs", "jobs", "mean", "half within", "75 of 100", "95 of 100", "longest"]
    about = "From submission to the first start. Boxes span the middle half of all jobs, whiskers 5 to 95 of 100."
    return Plot("waits", "Waits by class and size", about, {"data": data, "layout": layout}, head, rows)


def halls(recorder: Recorder, world: World) -> Plot:
    """Return the map: how much of each rack's GPU time was allocated, by hall and row."""
    span_ms = max(1, recorder.last_ms - recorder.begin_ms)
    gpu_milli: dict[tuple[str, str], int] = {}
    held: dict[tuple[str, str], int] = {}
    for site in world.sites:
        for node in site.nodes:
            row = " / ".join(part for part in (site.site if len(world.sites) > 1 else "", node.hall, node.row) if part) or "no hall said"
            place = (row, node.rack or node.pool)
            gpu_milli[place] = gpu_milli.get(place, 0) + node.gpus * WHOLE
            held[place] = held.get(place, 0) + recorder.node_ms.get(node.node, 0)
    rows = sorted({row for row, _ in gpu_milli})
    racks = sorted({rack for _, rack in gpu_milli}, key=lambda rack: (len(rack), rack))
    share = {place: 100 * held[place] / (span_ms * capacity) if capacity else None for place, capacity in gpu_milli.items()}
    z = [[_rounded(share.get((row, rack))) for rack in racks] for row in rows]
    heat = {
        "type": "heatmap", "x": [escape(rack) for rack in racks], "y": [escape(row) for row in rows], "z": z, "zmin": 0, "zmax": 100,
        "colorscale": [[0, "#eef3f8"], [1, "#0b4a8f"]], "xgap": 1, "ygap": 1, "colorbar": {"title": {"text": "%"}},
        "hovertemplate": "%{y} %{x}: %{z} % allocated<extra></extra>",
    }  # fmt: skip
    layout = {"height": 140 + 18 * len(rows), "yaxis": {"autorange": "reversed", "type": "category", "automargin": True}, "xaxis": {"type": "category"}}
    table = [[row, f"{sum(held[row, rack] for rack in racks if (row, rack) in held) / span_ms / WHOLE:,.0f}", f"{sum(gpu_milli.get((row, rack), 0) for rack in racks) // WHOLE:,}"] for row in rows]
    about = "Each cell is a rack: the share of its GPU time that attempts held."
    return Plot("halls", "Halls and racks", about, {"data": [heat], "layout": layout}, ["hall and row", "GPUs held (mean)", "GPUs"], table)


def calendar(entries: Sequence[Entry]) -> Plot:
    """Return bookings, promised starts and maintenance as bars over time."""
    shown = sorted(entries, key=lambda entry: (entry.from_ms, entry.whose))[:ENTRIES_MAX]
    kinds = sorted({entry.kind for entry in shown})
    data = [_bars(kind, [(nth, entry) for nth, entry in enumerate(shown) if entry.kind == kind]) for kind in kinds]
    labels = [escape(f"{entry.whose} ({entry.nodes:,} nodes)") for entry in shown]
    layout = {
        "height": 120 + 22 * len(shown), "barmode": "overlay", "xaxis": {"type": "date"},
        "yaxis": {"autorange": "reversed", "tickvals": list(range(len(shown))), "ticktext": labels, "automargin": True},
    }  # fmt: skip
    about = "Bookings, promised starts and maintenance." if shown else "Nothing was booked or promised, and no maintenance was planned."
    if len(entries) > len(shown):
        about = f"The first {ENTRIES_MAX} of {len(entries):,} entries."
    rows = [[entry.kind, entry.whose, instant_text(entry.from_ms), instant_text(entry.until_ms), f"{entry.nodes:,}"] for entry in shown]
    return Plot("calendar", "Calendar", about, {"data": data, "layout": layout}, ["kind", "whose", "from", "until", "nodes"], rows)


def fragmentation(stranded_gpu_h: Mapping[str, float], eur_per_gpu_h: Mapping[str, float]) -> Plot:
    """Return what fragmentation cost: free GPUs that no waiting job could use, at their list price."""
    flavours = sorted(stranded_gpu_h)
    eur = [round(stranded_gpu_h[flavour] * eur_per_gpu_h.get(flavour, 0.0), 2) for flavour in flavours]
    data = [{"type": "bar", "x": [escape(flavour) for flavour in flavours], "y": eur, "marker": {"color": COLOURS["busy"]}}]
    layout = {"height": 300, "bargap": 0.6, "yaxis": {"title": {"text": "EUR"}, "rangemode": "tozero"}}
    rows = [
        [flavour, f"{stranded_gpu_h[flavour]:,.1f}", f"{eur_per_gpu_h.get(flavour, 0.0):,.2f}", f"{amount:,.2f}"]
        for flavour, amount in zip(flavours, eur, strict=True)
    ]
    about = (
        "Free GPUs that a task could not have, the mean over the tasks that waited (over those that ran where none did), seen every two hours, "
        "at the list price of on-demand."
    )
    return Plot("fragmentation", "Fragmentation", about, {"data": data, "layout": layout}, ["flavour", "GPU-hours", "EUR a GPU-hour", "EUR"], rows)


def _bars(kind: str, entries: Sequence[tuple[int, Entry]]) -> dict[str, Any]:
    return {
        "type": "bar", "orientation": "h", "name": escape(kind),
        "y": [nth for nth, _ in entries],
        "base": [instant_text(entry.from_ms) for _, entry in entries],
        "x": [entry.until_ms - entry.from_ms for _, entry in entries],
        "hovertext": [escape(f"{entry.whose}: {entry.nodes:,} nodes, {instant_text(entry.from_ms)} to {instant_text(entry.until_ms)}") for _, entry in entries],
        "hoverinfo": "text",
    }  # fmt: skip


def _thinned(means: Sequence[float], step: int) -> list[float]:
    return [sum(means[nth : nth + step]) / len(means[nth : nth + step]) for nth in range(0, len(means), step)]


def _rank(ordered: Sequence[int], percent: int) -> float:
    """Return a percentile in seconds by nearest rank."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] / SECOND_MS


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def instant_text(at_ms: int) -> str:
    """Return an instant as plots and tables have it, in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
