"""Find anomalous segments in a series of measurements, and say how well: the batch job of predictive-maintenance.

The method is chosen on the calibration part alone (`trial.py`); then each value is judged before it is learned (`detector.py`). One
pass over the data, memory that does not grow with it, and the same input gives the same figures.
"""

import argparse
import csv
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from curve import Trace
from detector import Band, Detector
from dialect import Wishes
from forecast import CANDIDATES, Calendar
from readings import Limits, Readings
from report import Report
from score import ALARM_COLUMNS, Event, Events, score
from series import Kind, Point, Series, iso
from sources import AUTO, find_source
from texts import LANGUAGES, Texts
from trial import Choice, choose, suspects
from unreadable import Unreadable

FORMAT = "eisbach-predictive-maintenance/1"
OTHER_FLOORS = (0.02, 0.03, 0.05, 0.10)
ALARMS_IN_FIGURES = 200
CALIBRATION_POINTS_MIN, CALIBRATION_POINTS_MAX = 48, 100_000

UNUSABLE = 2
"""Exit code for data or options that cannot be used."""


def parse_arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", default=AUTO, help="a CSV, a folder with one, the name of a data set that the job has, or water-flow; auto: the job's data set, else water-flow")
    add("--segments", type=Path, help="JSON with segments known to be anomalous, to be scored against")
    add("--calibration-days", type=float, default=7.0, help="so much of your own data at its start is taken as undisturbed")
    add("--language", choices=LANGUAGES, default="en", help="of the report")
    add("--timezone", default="Europe/Berlin", help="of instants without offset, and of the plant's day")
    add("--method", choices=("auto", *CANDIDATES), default="auto")
    add("--floor", type=float, default=0.05, help="share of the expected value that a value may miss it by in any case")
    add("--sigmas", type=float, default=6.0, help="robust standard deviations that a value may miss it by")
    add("--interval-minutes", type=float, help="step of the series; default: the usual one of the readings, at least a minute")
    add("--minimum", type=float, default=0.0, help="smaller values are implausible")
    add("--maximum", type=float, default=1e6, help="larger values are implausible")
    add("--time-column", help="name of the column of instants")
    add("--value-column", help="name of the column to watch")
    add("--separator", choices=(",", ";", "tab"))
    add("--decimal", choices=(",", "."))
    add("--dates", choices=("day-first", "month-first"))
    add("--encoding", help="for example windows-1252")
    add("--outputs", type=Path, default=Path("outputs"))
    return parser.parse_args(words)


class Run:
    """One pass over one series."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.source = find_source(arguments.data, arguments.segments)
        self.zone = zone_of(self.source.facts.get("time_zone") or arguments.timezone)
        limits = Limits(minimum=arguments.minimum, maximum=arguments.maximum)
        self.readings = Readings(self.source.path, self.zone, wishes_of(arguments), limits)
        step = arguments.interval_minutes
        self.series = Series(self.readings, round(step * 60_000) if step else None)
        self.step_ms = self.series.step_ms
        self.band = Band(sigmas=arguments.sigmas, floor=arguments.floor)
        self.trace = Trace(self.step_ms)
        self.events = Events()
        self.known_ms = 0
        self.compared: list[tuple[Detector, Events]] = []

    def play(self, alarms: Path) -> tuple[Detector, Choice, list[Point]]:
        points = iter(self.series)
        calibration, rest = self._calibration(points)
        calendar = Calendar(self.zone)
        choice = choose(calibration, calendar, self.step_ms, self.band, None if self.arguments.method == "auto" else self.arguments.method)
        print(f"calibrated on {len(calibration)} values, {iso(calibration[0].at_ms)} to {iso(calibration[-1].at_ms)}: method {choice.method}", flush=True)
        detectors = [Detector(choice.method, calendar, self.step_ms, band) for band in (self.band, *(replace(self.band, floor=one) for one in OTHER_FLOORS))]
        for detector in detectors:
            for point in calibration:
                detector.warm(point.at_ms, point.value)
        for point in calibration:
            self.trace.add(point.at_ms, point.value, None, None)
        self.compared = [(detector, Events()) for detector in detectors[1:]]
        with alarms.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(ALARM_COLUMNS)
            for point in rest:
                ended = self._judge(detectors[0], point)
                if ended is not None:
                    self._write(table, ended)
            if self.events.open is not None:
                self._write(table, self.events.open)
        return detectors[0], choice, calibration

    def _calibration(self, points: Iterator[Point]) -> tuple[list[Point], Iterator[Point]]:
        """The undisturbed start of the series, and the rest of it, which nothing has looked at."""
        segments = self.source.segments
        lasts_ms = round(timedelta(days=self.arguments.calibration_days) / timedelta(milliseconds=1))
        until = segments[0].start_ms if self.source.is_documented else self.series.first_ms + lasts_ms
        found: list[Point] = []
        for point in points:
            if point.at_ms >= until or len(found) >= CALIBRATION_POINTS_MAX:
                if len(found) >= CALIBRATION_POINTS_MIN:
                    return found, chain([point], points)
                break
            if point.kind is not Kind.GAP:
                found.append(point)
        hours = len(found) * self.step_ms / 3_600_000
        raise Unreadable(
            f"{len(found)} values ({hours:.0f} hours) are left for calibration and nothing after them, or too few of them; at least {CALIBRATION_POINTS_MIN} are needed",
            "Bring more data, or set --calibration-days so that some data remains to be judged",
        )

    def _judge(self, detector: Detector, point: Point) -> Event | None:
        if point.kind is Kind.GAP:
            self.trace.gap()
            return None
        if point.kind is Kind.FILLED:
            detector.fill(point.at_ms, point.value)
            for other, _ in self.compared:
                other.fill(point.at_ms, point.value)
            return None
        verdict = detector.step(point.at_ms, point.value)
        expected = verdict.expected
        edges = (None, None) if expected is None else (expected - verdict.half_width, expected + verdict.half_width)
        self.trace.add(point.at_ms, point.value, *edges)
        for other, events in self.compared:
            events.add(point.at_ms, point.value, other.step(point.at_ms, point.value))
        if any(segment.start_ms <= point.at_ms <= segment.end_ms for segment in self.source.segments):
            self.known_ms += self.step_ms
        return self.events.add(point.at_ms, point.value, verdict)

    def _write(self, table: Any, event: Event) -> None:
        document = event.document()
        table.writerow([document[column] for column in ALARM_COLUMNS])

    # ---- figures -------------------------------------------------------------------------------------------------

    def figures(self, choice: Choice, calibration: list[Point], files: dict[str, str]) -> dict[str, Any]:
        segments = self.source.segments
        judged_ms = self.events.judged * self.step_ms
        scored = score(self.events.kept, segments, judged_ms, self.step_ms, self.known_ms)
        others = [
            {"floor": other.band.floor} | score(events.kept, segments, judged_ms, self.step_ms, self.known_ms) for other, events in self.compared
        ]
        return {
            "format": FORMAT,
            "mode": "batch",
            "data": self._data(),
            "protocol": {
                "method": choice.method,
                "chosen_by": "trial" if self.arguments.method == "auto" else "wish",
                "calibration_from": iso(calibration[0].at_ms),
                "calibration_to": iso(calibration[-1].at_ms),
                "calibration_points": len(calibration),
                "calibration_suspects": suspects(calibration, self.band),
                "sigmas": self.band.sigmas,
                "floor": self.band.floor,
                "clear_after": self.band.clear_after,
            },
            "candidates": [result.document() for result in choice.results],
            "left_out": choice.left_out,
            **{key: value for key, value in scored.items() if key not in ("alarms", "of")},
            "alarm_count": self.events.count,
            "alarms": [event.document() | {"segment": number} for event, number in zip(self.events.kept[:ALARMS_IN_FIGURES], scored["of"], strict=False)],
            "sensitivity": [{key: one[key] for key in ("floor", "alarms", "found", "missed", "false_alarms") if key in one} for one in others],
            "repairs": self.readings.repairs.document(),
            "files": files,
        }

    def _data(self) -> dict[str, Any]:
        facts = self.source.facts
        known = {"source": facts["source"], "donor": facts["donor"], "licence": facts["licence"]["en"], "sha256_documented": facts["sha256"]} if facts else {}
        return {
            "name": self.source.name,
            "file": self.source.path.name,
            "label": "measured" if facts else "as brought by its owner",
            "sha256": self.readings.sha256,
            "bytes": self.readings.size,
            "rows": self.readings.rows,
            "column": self.readings.dialect.value_name,
            "from": iso(self.series.first_ms),
            "to": iso(self.series.last_ms),
            "step_s": self.step_ms / 1000,
            "time_zone": self.zone.key,
        } | known


def zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Unreadable(f"there is no time zone {name!r}", "Name one as in Europe/Berlin or Etc/GMT-1") from error


def wishes_of(arguments: argparse.Namespace) -> Wishes:
    return Wishes(
        separator="\t" if arguments.separator == "tab" else arguments.separator,
        decimal=arguments.decimal,
        dates=arguments.dates,
        time_column=arguments.time_column,
        value_column=arguments.value_column,
        encoding=arguments.encoding,
    )


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False, sort_keys=False) + "\n", encoding="utf-8")


def main(words: Sequence[str] | None = None) -> int:
    arguments = parse_arguments(words)
    started = time.monotonic()
    outputs: Path = arguments.outputs
    try:
        outputs.mkdir(parents=True, exist_ok=True)
        run = Run(arguments)
        with run.readings:
            detector, choice, calibration = run.play(outputs / "alarms.csv")
    except Unreadable as error:
        print(f"Unusable: {error}", file=sys.stderr)
        return UNUSABLE
    model = {"format": FORMAT, "data_sha256": run.readings.sha256, "data": run.source.name, "column": run.readings.dialect.value_name, "detector": detector.state()}
    write_json(outputs / "model.json", model)
    files = {name: digest_of(outputs / name) for name in ("alarms.csv", "model.json")}
    (outputs / "model.json.sha256").write_text(f"{files['model.json']}  model.json\n", encoding="utf-8")
    figures = run.figures(choice, calibration, files)
    write_json(outputs / "figures.json", figures)
    say = Texts(arguments.language)
    own = {"source": say("source_own"), "licence": say("licence_own")}
    page = Report(figures, run.trace, run.source.texts(arguments.language, own), arguments.language, run.zone).page()
    (outputs / "report.html").write_text(page, encoding="utf-8")
    print_summary(figures, run.readings.size, time.monotonic() - started)
    return 0


def print_summary(figures: dict[str, Any], size: int, seconds: float) -> None:
    data = figures["data"]
    print(f"data {data['name']}: {data['rows']} lines, {data['from']} to {data['to']}, sha256 {data['sha256']}, licence: {data.get('licence', 'yours')}")
    if figures["protocol"]["calibration_suspects"]:
        print(f"WARNING: {figures['protocol']['calibration_suspects']} values of the calibration data do not look undisturbed; set --calibration-days")
    for one in figures["segments"]:
        said = f"found {one['delay_h']:g} h after its start, {one['lead_h']:g} h before its end" if one["found"] else "MISSED"
        print(f"segment {one['kind']} {one['from']} to {one['to']}: {said}")
    if figures["documented"]:
        print(
            f"found={figures['found']} missed={figures['missed']} false_alarms={figures['false_alarms']} "
            f"false_alarms_per_30_days={figures['false_alarms_per_30_days']} judged_hours={figures['judged_hours']:g}"
        )
    else:
        print(f"alarms={figures['alarm_count']} alarms_per_30_days={figures['alarms_per_30_days']} judged_hours={figures['judged_hours']:g}")
    print(f"report.html, figures.json, alarms.csv and model.json written; {size / 1e6:.1f} MB in {seconds:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
