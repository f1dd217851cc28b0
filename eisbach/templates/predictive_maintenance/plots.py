"""Plots as SVG inside the report: no script, no request, colours from the page's style sheet, so they follow light and dark.

Documented segments and alarms stand in lanes of their own below the curve, so that nothing depends on telling colours apart.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from zoneinfo import ZoneInfo

from curve import Piece

LEFT, RIGHT, TOP, LANE, AXIS = 64, 16, 14, 20, 26
NICE = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Span:
    start_ms: int
    end_ms: int
    label: str = ""


@dataclass(frozen=True)
class Labels:
    title: str
    description: str
    value: str
    documented: str
    alarms: str
    decimal: str = "."
    date: str = "%d %b"


@dataclass(frozen=True)
class Frame:
    """Where instants and values lie on the drawing."""

    start_ms: int
    end_ms: int
    least: float
    most: float
    width: int
    height: int

    def x(self, at_ms: float) -> float:
        share = (at_ms - self.start_ms) / max(1, self.end_ms - self.start_ms)
        return LEFT + min(1.0, max(0.0, share)) * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.least) / (self.most - self.least)
        return TOP + (1 - min(1.0, max(0.0, share))) * (self.height - TOP)


def series_plot(
    pieces: Sequence[Piece], step_ms: int, documented: Sequence[Span], alarms: Sequence[Span], zone: ZoneInfo, labels: Labels, size: tuple[int, int] = (960, 300)
) -> str:
    """One curve over time with its band, and below it the lanes of documented segments and alarms; "" without pieces."""
    if not pieces:
        return ""
    width, height = size
    least = min(piece.least if piece.low is None else min(piece.least, piece.low) for piece in pieces)
    most = max(piece.most if piece.high is None else max(piece.most, piece.high) for piece in pieces)
    ticks = ticks_of(least, most)
    frame = Frame(pieces[0].start_ms, pieces[-1].end_ms + step_ms, min(least, ticks[0]), max(most, ticks[-1]), width, height)
    total = height + 2 * LANE + AXIS + 6
    parts = [
        f'<svg viewBox="0 0 {width} {total}" role="img" class="plot">',
        f"<title>{escape(labels.title)}</title><desc>{escape(labels.description)}</desc>",
        *_value_axis(frame, ticks, labels),
        *_time_axis(frame, zone, labels, total),
        *_bands(frame, pieces),
        *_curves(frame, pieces),
        *_lane(frame, height + 8, documented, labels.documented, "documented"),
        *_lane(frame, height + 8 + LANE, alarms, labels.alarms, "alarm"),
        "</svg>",
    ]
    return "".join(parts)


def ticks_of(least: float, most: float, wanted: int = 5) -> list[float]:
    """Round numbers that enclose a range."""
    if most - least <= abs(most) * 1e-9:
        least, most = least - max(1.0, abs(least) * 0.05), most + max(1.0, abs(most) * 0.05)
    rough = (most - least) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in NICE if power * nice >= rough * 0.999)
    first = math.floor(least / step + 1e-9)
    last = math.ceil(most / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def _value_axis(frame: Frame, ticks: list[float], labels: Labels) -> list[str]:
    parts = []
    for tick in ticks:
        y = frame.y(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{frame.width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(tick, labels.decimal)}</text>')
    middle = (TOP + frame.height) / 2
    parts.append(f'<text class="axis" transform="translate(13 {middle:.0f}) rotate(-90)" text-anchor="middle">{escape(labels.value)}</text>')
    return parts


def _number(value: float, decimal: str) -> str:
    return f"{value:.6g}".replace(".", decimal)


def _time_axis(frame: Frame, zone: ZoneInfo, labels: Labels, total: int) -> list[str]:
    parts = []
    for instant, text in time_ticks(frame.start_ms, frame.end_ms, zone, labels.date):
        x = frame.x(instant)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{total - AXIS + 4}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{total - 8}" text-anchor="middle">{escape(text)}</text>')
    return parts


def time_ticks(start_ms: int, end_ms: int, zone: ZoneInfo, date: str) -> list[tuple[int, str]]:
    """At most some nine instants at round local times, with their texts."""
    hours = (end_ms - start_ms) / 3_600_000
    start = datetime.fromtimestamp(start_ms / 1000, zone)
    if hours <= 96:
        every = next(every for every in (1, 2, 3, 6, 12, 24) if hours / every <= 9)
        wall = start.replace(minute=0, second=0, microsecond=0, tzinfo=None) - timedelta(hours=start.hour % every)
        step, shown = timedelta(hours=every), "%H:%M"
    else:
        days = next((days for days in (1, 2, 7, 14, 28, 91, 182, 365) if hours / 24 / days <= 9), 1 + int(hours / 24 / 9))
        wall = start.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        step, shown = timedelta(days=days), date
        wall -= timedelta(days=wall.weekday() if days % 7 == 0 else 0)
    found = []
    while (at_ms := round(wall.replace(tzinfo=zone).timestamp() * 1000)) <= end_ms:
        if at_ms >= start_ms:
            is_midnight = shown == "%H:%M" and wall.hour == 0
            found.append((at_ms, wall.strftime(date if is_midnight else shown)))
        wall += step
    return found


def _runs(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """The pieces between two gaps."""
    runs: list[list[Piece]] = []
    for piece in pieces:
        if piece.gap_before or not runs:
            runs.append([])
        runs[-1].append(piece)
    return runs


def _bands(frame: Frame, pieces: Sequence[Piece]) -> list[str]:
    parts = []
    for run in _runs(pieces):
        known = [(piece.start_ms, piece.low, piece.high) for piece in run if piece.low is not None and piece.high is not None]
        if len(known) < 2:
            continue
        upper = [f"{frame.x(at):.1f},{frame.y(high):.1f}" for at, _, high in known]
        lower = [f"{frame.x(at):.1f},{frame.y(low):.1f}" for at, low, _ in reversed(known)]
        parts.append(f'<polygon class="band" points="{" ".join(upper + lower)}"/>')
    return parts


def _curves(frame: Frame, pieces: Sequence[Piece]) -> list[str]:
    parts = []
    for run in _runs(pieces):
        points = []
        for piece in run:
            x = frame.x(piece.start_ms)
            points.append(f"{x:.1f},{frame.y(piece.least):.1f}")
            if piece.most > piece.least:
                points.append(f"{x:.1f},{frame.y(piece.most):.1f}")
        if len(run) == 1:
            points.append(f"{frame.x(run[0].start_ms) + 1:.1f},{frame.y(run[0].most):.1f}")
        parts.append(f'<polyline class="curve" points="{" ".join(points)}"/>')
    for before, after in zip(_runs(pieces), _runs(pieces)[1:], strict=False):
        start, end = frame.x(before[-1].end_ms), frame.x(after[0].start_ms)
        parts.append(f'<rect class="gap" x="{start:.1f}" width="{max(0.5, end - start):.1f}" y="{TOP}" height="{frame.height - TOP}"/>')
    return parts


def _lane(frame: Frame, y: float, spans: Sequence[Span], name: str, kind: str) -> list[str]:
    parts = [
        f'<text class="tick" x="{LEFT - 6}" y="{y + 12:.1f}" text-anchor="end">{escape(name)}</text>',
        f'<rect class="lane" x="{LEFT}" width="{frame.width - LEFT - RIGHT}" y="{y:.1f}" height="{LANE - 4}"/>',
    ]
    for span in spans:
        if span.end_ms < frame.start_ms or span.start_ms > frame.end_ms:
            continue
        start, end = frame.x(span.start_ms), frame.x(span.end_ms)
        parts.append(
            f'<rect class="{kind}" x="{start:.1f}" width="{max(3.0, end - start):.1f}" y="{y:.1f}" height="{LANE - 4}"/>'
        )
        if span.label:
            parts.append(f'<text class="mark" x="{start:.1f}" y="{y + 12:.1f}" dx="-3" text-anchor="end">{escape(span.label)}</text>')
    return parts
