"""The three plots of a site: power, stream, heat. Lines are the model at the draw of now, bars and points what was metered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eisbach.app import report_energy
from eisbach.core.metering.counter import Label
from eisbach.core.vocabulary.quantities import HOUR_MS, MJ_PER_KWH
from eisbach.portal.speech import Speech
from eisbach.ports.translator import N_

Hour = Mapping[str, Any]
KILOWATT, DEGREE = 1_000_000, 1000
TICKS = {"de": "%H:%M\n%d.%m.%Y", "en": "%H:%M\n%b %d, %Y"}


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot as plotly takes it, and the same as a table."""

    id: str
    title: str
    label: str
    spec: dict[str, Any]
    head: list[str]
    rows: list[list[str]]


def plots(speech: Speech, hours: Sequence[Hour], outlook: Sequence[Hour], now_ms: int, *, is_simulated: bool) -> list[Plot]:
    """Return the plots for which there is anything to show."""
    label = (Label.SIMULATED if is_simulated else Label.MODELLED).value
    found = [_power(speech, hours, outlook, label)] if hours or outlook else []
    if any(one["stream_above_mc"] is not None for one in outlook):
        found.append(_stream(speech, hours, outlook, label))
    if any(one["heat_offered_mw"] is not None for one in outlook):
        found.append(_heat(speech, hours, outlook, label))
    for plot in found:
        plot.spec["layout"].setdefault("xaxis", {}).update(
            type="date", range=_range(outlook or hours, now_ms), tickformat=TICKS.get(speech.language, TICKS["en"])
        )
    return found


def _power(speech: Speech, hours: Sequence[Hour], outlook: Sequence[Hour], label: str) -> Plot:
    at = [_middle(one["hour_ms"]) for one in hours]
    kw = _scaled(hours, KILOWATT)
    bar = {"type": "bar", "x": at, "width": HOUR_MS * 9 // 10}  # a lone bar has no neighbour to take its width from
    data = [
        {**bar, "name": _t(speech, N_("Racks, metered")), "y": kw("it_mw")},
        {**bar, "name": _t(speech, N_("Losses")), "y": kw("losses_mw")},
        {**bar, "name": _t(speech, N_("Cooling")), "y": kw("cooling_mw")},
        _line(outlook, "racks_allowed_mw", KILOWATT, _t(speech, N_("Racks may draw at most")), dash="dash"),
        _line(outlook, "total_mw", KILOWATT, _t(speech, N_("Whole site at the draw of now")), dash="dot"),
    ]
    layout = {"barmode": "stack", "bargap": 0.1, "yaxis": {"title": {"text": "kW"}, "rangemode": "tozero"}, "height": 360}
    head = [_t(speech, N_("Hour")), *(str(one["name"]) for one in data[:3]), "PUE", _t(speech, N_("Label"))]
    rows = [
        [
            speech.instant(one["hour_ms"]),
            *(f"{speech.number(one[name] / KILOWATT, 2)} kW" for name in ("it_mw", "losses_mw", "cooling_mw")),
            _milli(speech, one["indicators"].pue_milli),
            one["label"],
        ]
        for one in reversed(hours)
    ]
    weakest = report_energy.weakest(one["label"] for one in hours) or label
    return Plot("power", _t(speech, N_("Power")), weakest, {"data": data, "layout": layout}, head, rows)


def _stream(speech: Speech, hours: Sequence[Hour], outlook: Sequence[Hour], label: str) -> Plot:
    known = [one for one in hours if one["stream_above_mc"] is not None]
    at = [_middle(one["hour_ms"]) for one in known]
    points = {"type": "scatter", "mode": "markers", "x": at, "marker": {"size": 8}}
    below = [(one["stream_above_mc"] + one["stream_rise_mk"]) / DEGREE for one in known]
    names = [N_("Below the site"), N_("Above the site"), N_("Rise"), N_("Permit: temperature"), N_("Permit: rise")]
    said = [_t(speech, name) for name in names]
    data = [
        _line(outlook, "stream_below_mc", DEGREE, said[0]),
        _line(outlook, "stream_above_mc", DEGREE, said[1]),
        {**_line(outlook, "stream_rise_mk", DEGREE, said[2]), "yaxis": "y2"},
        _line(outlook, "permit_mc", DEGREE, said[3], dash="dash"),
        {**_line(outlook, "permit_rise_mk", DEGREE, said[4], dash="dash"), "yaxis": "y2"},
        {**points, "name": _t(speech, N_("Below the site, metered hours")), "y": below},
    ]
    layout = {
        "xaxis": {"anchor": "y2"},
        "yaxis": {"title": {"text": "°C"}, "domain": [0.4, 1]},
        "yaxis2": {"title": {"text": "K"}, "domain": [0, 0.3], "rangemode": "tozero"},
        "height": 440,
    }
    head = [_t(speech, N_("Hour")), _t(speech, N_("Flow")), said[1], said[0], said[3], said[2], said[4]]
    rows = [
        [
            speech.instant(one["at_ms"]),
            f"{speech.number(one['flow_litres_s'] / 1000, 2)} m³/s",
            *(
                f"{speech.number(one[name] / DEGREE, 2)} {unit}"
                for name, unit in (
                    ("stream_above_mc", "°C"), ("stream_below_mc", "°C"), ("permit_mc", "°C"), ("stream_rise_mk", "K"),
                    ("permit_rise_mk", "K"),
                )
            ),
        ]
        for one in outlook
    ]  # fmt: skip
    return Plot("stream", _t(speech, N_("Stream")), label, {"data": data, "layout": layout}, head, rows)


def _heat(speech: Speech, hours: Sequence[Hour], outlook: Sequence[Hour], label: str) -> Plot:
    known = [one for one in hours if one["heat_offered_mj"] is not None]
    metered = [one["heat_delivered_mj"] / MJ_PER_KWH * HOUR_MS / max(1, one["metered_ms"]) for one in known]
    names = [N_("Offered"), N_("Wanted by the quarter"), N_("Delivered")]
    said = [_t(speech, name) for name in names]
    keys = ("heat_offered_mw", "heat_demanded_mw", "heat_delivered_mw")
    data = [
        _line(outlook, keys[0], KILOWATT, said[0]),
        _line(outlook, keys[1], KILOWATT, said[1], dash="dash"),
        {**_line(outlook, keys[2], KILOWATT, said[2]), "fill": "tozeroy"},
        {
            "type": "scatter", "mode": "markers", "x": [_middle(one["hour_ms"]) for one in known], "y": metered,
            "name": _t(speech, N_("Delivered, metered hours")), "marker": {"size": 8},
        },
    ]  # fmt: skip
    layout = {"yaxis": {"title": {"text": "kW"}, "rangemode": "tozero"}}
    rows = [
        [speech.instant(one["at_ms"]), *(f"{speech.number(one[key] / KILOWATT, 1)} kW" for key in keys)] for one in outlook
    ]
    head = [_t(speech, N_("Hour")), *said]
    return Plot("heat", _t(speech, N_("Heat")), label, {"data": data, "layout": layout}, head, rows)


def _line(outlook: Sequence[Hour], name: str, scale: int, said: str, dash: str = "solid") -> dict[str, Any]:
    values = [one[name] / scale if one[name] is not None else None for one in outlook]
    at = [_instant(one["at_ms"]) for one in outlook]
    return {"type": "scatter", "mode": "lines", "x": at, "y": values, "name": said, "line": {"dash": dash, "width": 2}}


def _scaled(hours: Sequence[Hour], scale: int) -> Callable[[str], list[float]]:
    return lambda name: [one[name] / scale for one in hours]


def _range(hours: Sequence[Hour], now_ms: int) -> list[str]:
    first = min(one.get("at_ms", one.get("hour_ms", now_ms)) for one in hours)
    last = max(one.get("at_ms", now_ms) for one in hours)
    return [_instant(first), _instant(last)]


def _middle(hour_ms: int) -> str:
    return _instant(hour_ms + HOUR_MS // 2)


def _instant(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _milli(speech: Speech, value: int | None) -> str:
    return speech.number(value / 1000, 3) if value is not None else "–"


def _t(speech: Speech, message: str) -> str:
    return str(speech.text(message))
