"""The plot of promises: real starts against promised ones, and what broke those that were not kept."""

from collections import Counter
from collections.abc import Sequence
from html import escape

from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.twin.promise_record import Promised
from eisbach.twin.report_plots import COLOURS, Plot, instant_text

DRAWN_MAX = 5_000
BROKEN_SHOWN = 200
KEPT = "kept"
CAUSE_COLOURS = ("#b3261e", "#c2571a", "#7b1fa2", "#8a4b00", "#5b6472")


def promises(found: Sequence[Promised]) -> Plot:
    """Return when promised jobs really started, as hours after the promised instant: below 0 is earlier, above is broken."""
    causes = sorted({one.cause for one in found if one.cause})
    colours = {KEPT: COLOURS["sold"], **dict(zip(causes, CAUSE_COLOURS * (1 + len(causes) // len(CAUSE_COLOURS)), strict=False))}
    data = []
    for kind in (KEPT, *causes):
        started = [one for one in found if (one.cause or KEPT) == kind and one.started_ms is not None]
        drawn = started[:: -(-len(started) // DRAWN_MAX)] if started else []
        data.append(
            {
                "type": "scatter", "mode": "markers", "name": escape(kind if kind == KEPT else f"broken: {kind}"),
                "x": [instant_text(one.promised_ms) for one in drawn],
                "y": [round(_late_h(one), 3) for one in drawn],
                "text": [escape(one.job) for one in drawn], "hoverinfo": "x+y+text",
                "marker": {"color": colours[kind], "size": 6 if kind == KEPT else 9, "symbol": "circle" if kind == KEPT else "x"},
            }
        )  # fmt: skip
    layout = {
        "height": 380, "xaxis": {"type": "date", "title": {"text": "promised start"}},
        "yaxis": {"title": {"text": "real start, hours after it"}, "zeroline": True, "zerolinewidth": 2},
    }  # fmt: skip
    return Plot("promises", "Promises", _about(found), {"data": data, "layout": layout}, ["job", "promised", "started", "hours late", "broken by"], _rows(found))


def _about(found: Sequence[Promised]) -> str:
    if not found:
        return "No start was promised."
    kept = [one for one in found if not one.cause]
    broken = Counter(one.cause for one in found if one.cause)
    said = f"{len(kept):,} of {len(found):,} promised starts were kept"
    if kept:
        said += f", {-sum(map(_late_h, kept)) / len(kept):,.1f} hours before the promised instant on average"
    if broken:
        said += "; broken: " + ", ".join(f"{count:,} by {cause}" for cause, count in sorted(broken.items()))
    return f"{said}. A promise is a start no later than; {'the table has those that were broken, with their causes' if broken else 'none was broken'}."


def _rows(found: Sequence[Promised]) -> list[list[str]]:
    broken = [one for one in found if one.cause]
    rows = [
        [
            one.job, instant_text(one.promised_ms), instant_text(one.started_ms) if one.started_ms is not None else "not yet",
            f"{_late_h(one):,.1f}" if one.started_ms is not None else "-", one.cause,
        ]
        for one in broken[:BROKEN_SHOWN]
    ]  # fmt: skip
    if not rows and found:
        rows = [["none was broken", "", "", "", ""]]
    return rows


def _late_h(one: Promised) -> float:
    return ((one.started_ms if one.started_ms is not None else one.promised_ms) - one.promised_ms) / HOUR_MS
