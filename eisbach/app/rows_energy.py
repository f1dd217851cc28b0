"""Rows that follow from events about energy, water and heat."""

from collections.abc import Callable, Mapping
from typing import Any

from eisbach.app.event_body import Body
from eisbach.app.events_energy import EnergyMetered, PowerCapped
from eisbach.app.row_operations import Insert, Op, Row
from eisbach.core.vocabulary.interval import month_of
from eisbach.core.vocabulary.quantities import HOUR_MS

PRIMARY_KEYS: dict[str, str] = {"site_energy": "interval", "job_energy": "part", "power_caps": "cap"}
TEXT_COLUMNS: dict[str, str] = {}


def _metered(seq: int, at_ms: int, body: EnergyMetered, texts: Mapping[str, str]) -> list[Op]:
    interval = f"{body.site}/{body.from_ms:014d}"
    flow, above, rise, most, rise_most = body.stream or (None,) * 5
    offered, demanded, delivered = body.heat or (None,) * 3
    plain = ("site", "from_ms", "to_ms", "label", "it_mj", "measured_mj", "losses_mj", "cooling_mj", "has_plant")
    more = ("operator_idle_mj", "operator_overhead_mj", "carbon_location_mg", "carbon_market_mg", "renewable_mj")
    rest = ("water_ml", "air_mc", "is_gap")
    row: Row = {
        "interval": interval,
        "hour_ms": body.from_ms - body.from_ms % HOUR_MS,
        "period": month_of(body.from_ms),
        **{name: getattr(body, name) for name in plain + more + rest},
        "flow_litres_s": flow,
        "stream_above_mc": above,
        "stream_rise_mk": rise,
        "permit_mc": most,
        "permit_rise_mk": rise_most,
        "heat_offered_mj": offered,
        "heat_demanded_mj": demanded,
        "heat_delivered_mj": delivered,
        "seq": seq,
    }
    ops: list[Op] = [Insert("site_energy", row)]
    for job, project, own, idle, overhead, by_place, by_market in body.jobs:
        part: Row = {
            "part": f"{job}/{interval}",
            "job": job,
            "project": project,
            "site": body.site,
            "period": month_of(body.from_ms),
            "from_ms": body.from_ms,
            "to_ms": body.to_ms,
            "label": body.label,
            "own_mj": own,
            "idle_mj": idle,
            "overhead_mj": overhead,
            "carbon_location_mg": by_place,
            "carbon_market_mg": by_market,
        }
        ops.append(Insert("job_energy", part))
    return ops


def _capped(seq: int, at_ms: int, body: PowerCapped, texts: Mapping[str, str]) -> list[Op]:
    plain = ("site", "source", "cause", "racks_mw", "by", "until_ms")
    row: Row = {"cap": f"{body.site}/{seq:012d}", "at_ms": at_ms, **{name: getattr(body, name) for name in plain}}
    return [Insert("power_caps", row)]


ROWS: dict[type[Body], Callable[[int, int, Any, Mapping[str, str]], list[Op]]] = {
    EnergyMetered: _metered,
    PowerCapped: _capped,
}
