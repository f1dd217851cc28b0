"""How energy becomes the JSON of `/v1`: exact millijoule, and beside it kilowatt-hours as rounded text."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from eisbach.api.representations import Json, instant_text
from eisbach.app.report_energy import MeterCheck
from eisbach.core.metering.counter import Label
from eisbach.core.metering.indicators import Indicators
from eisbach.core.vocabulary.quantities import MJ_PER_KWH

FORMULAS = {
    "PUE": "energy of the whole site / energy of its racks (EU 2024/1364)",
    "WUE": "water evaporated, in litres / energy of the racks, in kWh (EU 2024/1364)",
    "ERF": "heat used by the quarter / energy of the whole site (EU 2024/1364)",
    "REF": "renewable energy / energy of the whole site (EU 2024/1364)",
}
_MICRO = Decimal("0.000001")


def kwh(energy_mj: int | None) -> str | None:
    """Return kilowatt-hours with six decimals, None for none."""
    if energy_mj is None:
        return None
    return str((Decimal(energy_mj) / MJ_PER_KWH).quantize(_MICRO, ROUND_HALF_EVEN))


def energy(answer: Mapping[str, Any]) -> Json:
    """Return the parts of an energy account, in millijoule and kWh, and its CO2 in milligrams."""
    shown: Json = {}
    for name in ("own_mj", "idle_mj", "overhead_mj", "total_mj"):
        shown[name] = answer[name]
        shown[name.replace("_mj", "_kwh")] = kwh(answer[name])
    return {**shown, **{name: answer[name] for name in ("carbon_location_mg", "carbon_market_mg", "label")}}


def job_energy(answer: Mapping[str, Any], is_complete: bool) -> Json:
    """Return what a job used, interval by interval."""
    intervals = [
        {
            **{name: value for name, value in one.items() if name not in ("from_ms", "to_ms")},
            "from_at": instant_text(one["from_ms"]),
            "to_at": instant_text(one["to_ms"]),
        }
        for one in answer["intervals"]
    ]
    named = {name: answer[name] for name in ("job", "name", "project", "sites")}
    return {**named, "is_complete": is_complete, **energy(answer), "intervals": intervals}


def project_energy(answer: Mapping[str, Any]) -> Json:
    """Return a project's statement of a month."""
    jobs = [{"job": one["job"], "name": one["name"], **energy(one)} for one in answer["jobs"]]
    named = {name: answer[name] for name in ("project", "period", "law", "sites")}
    return {**named, **energy(answer), "jobs": jobs}


def figures(found: Indicators) -> Json:
    """Return the four figures as text with two or three decimals; None: not measured."""
    return {
        "pue": _thousandths(found.pue_milli),
        "wue_l_per_kwh": _thousandths(found.wue_ml_per_kwh),
        "erf": _thousandths(found.erf_milli),
        "ref": _thousandths(found.ref_milli),
    }


def hour(one: Mapping[str, Any]) -> Json:
    """Return one hour of a site."""
    rest = {name: value for name, value in one.items() if name not in ("hour_ms", "indicators")}
    return {"hour_at": instant_text(one["hour_ms"]), **rest, **figures(one["indicators"])}


def outlook(hours: Sequence[Mapping[str, Any]], *, is_simulated: bool) -> Json:
    """Return how a site would run in the hours to come with racks that draw as much as now."""
    shown = [
        {"at": instant_text(one["at_ms"]), **{name: value for name, value in one.items() if name != "at_ms"}} for one in hours
    ]
    return {"label": (Label.SIMULATED if is_simulated else Label.MODELLED).value, "hours": shown}


def check(found: MeterCheck, period: str) -> Json:
    """Return the check of a month: the parts and the meter."""
    return {
        "period": period,
        "meter_mj": found.meter_mj,
        "jobs_mj": found.jobs_mj,
        "operator_idle_mj": found.operator_idle_mj,
        "operator_overhead_mj": found.operator_overhead_mj,
        "is_exact": found.is_exact,
        "says": "jobs + idle and overhead of the operator = meter" if found.is_exact else "the parts are NOT the meter",
    }


def site_now(answer: Mapping[str, Any]) -> Json:
    """Return how a site stands."""
    caps = [
        {**{name: value for name, value in cap.items() if name != "until_ms"}, "until_at": instant_text(cap["until_ms"])}
        for cap in answer["caps"]
    ]
    rest = {name: value for name, value in answer.items() if name not in ("metered_ms", "caps")}
    return {**rest, "caps": caps, "metered_to": instant_text(answer["metered_ms"])}


def _thousandths(value: int | None) -> str | None:
    return None if value is None else f"{value // 1000}.{value % 1000:03d}"
