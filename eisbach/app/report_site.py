"""A site as its operator and the public see it: by hour power, stream and heat; the four figures of the regulation; now."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from eisbach.app.model_energy import model, nodes_of
from eisbach.app.report_energy import weakest
from eisbach.app.site_facts import SiteFacts
from eisbach.app.state import FactoryState
from eisbach.core.metering.indicators import Indicators, SiteEnergy, indicators
from eisbach.core.power.budget import Plant, allowed_at, operate
from eisbach.core.power.draw import rating_of_node
from eisbach.core.scheduling.power import reckoned_mw
from eisbach.core.vocabulary.quantities import HOUR_MS, SECOND_MS
from eisbach.ports.store import Reader, Row

HOURS_MAX = 31 * 24
_SUMMED = ("it_mj", "measured_mj", "losses_mj", "cooling_mj", "operator_idle_mj", "operator_overhead_mj")
_SUMMED_WHERE_KNOWN = (
    "carbon_location_mg", "carbon_market_mg", "renewable_mj", "water_ml", "heat_offered_mj", "heat_demanded_mj", "heat_delivered_mj",
)  # fmt: skip
_LAST = ("flow_litres_s", "stream_above_mc", "permit_mc", "permit_rise_mk", "air_mc")


def hours(reader: Reader, site: str, until_ms: int, count: int) -> list[dict[str, Any]]:
    """Return the last hours of a site, the oldest first; an hour of which nothing is known is left out."""
    last = until_ms - until_ms % HOUR_MS
    wanted = tuple(last - back * HOUR_MS for back in range(min(count, HOURS_MAX)))
    found: dict[int, list[Row]] = {}
    cursor: str | None = None
    while True:
        page = reader.rows("site_energy", {"site": site, "hour_ms": wanted}, cursor=cursor, limit=1000)
        for row in page.rows:
            found.setdefault(row["hour_ms"], []).append(row)
        cursor = page.next_cursor
        if cursor is None:
            break
    return [_hour(hour, sorted(rows, key=lambda row: row["from_ms"])) for hour, rows in sorted(found.items())]


def _hour(hour_ms: int, rows: Sequence[Row]) -> dict[str, Any]:
    sums = {name: sum(int(row[name]) for row in rows) for name in _SUMMED}
    known = {name: _sum_known(rows, name) for name in _SUMMED_WHERE_KNOWN}
    figures = energy_of(rows)
    rises = [int(row["stream_rise_mk"]) for row in rows if row["stream_rise_mk"] is not None]
    length = sum(row["to_ms"] - row["from_ms"] for row in rows)
    return {
        "hour_ms": hour_ms,
        "metered_ms": length,
        "label": weakest({row["label"] for row in rows}),
        "is_gap": any(row["is_gap"] for row in rows),
        "has_plant": _all_have_plant(rows),
        **sums,
        **known,
        **{name: rows[-1][name] for name in _LAST},
        "stream_rise_mk": max(rises) if rises else None,
        "it_mw": sums["it_mj"] * 1000 // length,
        "losses_mw": sums["losses_mj"] * 1000 // length,
        "cooling_mw": sums["cooling_mj"] * 1000 // length,
        "indicators": figures,
    }


def energy_of(rows: Sequence[Row]) -> Indicators:
    """Return the four figures over some intervals or hours; what any of them does not know is not measured."""
    return indicators(
        SiteEnergy(
            it_mj=sum(int(row["it_mj"]) for row in rows) if _all_have_plant(rows) else 0,
            overhead_mj=sum(int(row["losses_mj"]) + int(row["cooling_mj"]) for row in rows),
            reused_mj=_sum_known(rows, "heat_delivered_mj") if _all_have_plant(rows) else None,
            renewable_mj=_sum_known(rows, "renewable_mj") if _all_have_plant(rows) else None,
            water_ml=_sum_known(rows, "water_ml"),
        )
    )


def now(facts: SiteFacts) -> Callable[[FactoryState, int], dict[str, Any]]:
    """Return the question how a site stands: what its racks may draw, what is reckoned with, stream and permit."""

    def ask(state: FactoryState, instant: int) -> dict[str, Any]:
        nodes = list(nodes_of(state, facts.site))
        ratings = [rating_of_node(node) for node in nodes]
        answer: dict[str, Any] = {
            "nodes": len(nodes),
            "gpus": sum(node.gpus for node in nodes),
            "idle_mw": sum(rating.idle_mw for rating in ratings),
            "rated_mw": sum(rating.rated_mw for rating in ratings),
            "reckoned_mw": _reckoned(state, facts.site),
            "drawn_mw": drawn_mw(state, facts.site, instant),
            "caps": [
                {"source": source, "cause": cap.cause, "racks_mw": cap.racks_mw, "until_ms": cap.until_ms or None}
                for source, cap in sorted(state.energy.caps.get(facts.site, {}).items())
            ],
            "metered_ms": state.energy.meters[facts.site].metered_ms if facts.site in state.energy.meters else None,
            "plant": None,
        }
        if facts.plant is not None:
            running, allowed = operate(facts.plant, answer["reckoned_mw"], instant), allowed_at(facts.plant, instant)
            answer["plant"] = {
                "grid_mw": facts.plant.connection.grid_mw,
                "grid_allowed_mw": running.grid_allowed_mw,
                "racks_allowed_mw": allowed.it_mw,
                "limited_by": allowed.cause.value,
                "air_mc": running.air_mc,
                "stream": facts.plant.stream.name if facts.plant.stream is not None else None,
                "permit_source": facts.plant.stream.permit.source if facts.plant.stream is not None else None,
                "flow_litres_s": running.water.flow_litres_s if running.water is not None else None,
                "stream_above_mc": running.water.temperature_mc if running.water is not None else None,
                "permit_mc": running.limits.temperature_mc if running.limits is not None else None,
                "permit_rise_mk": running.limits.rise_mk if running.limits is not None else None,
                "heat_to_stream_allowed_mw": running.stream_allowed_mw,
            }
        return answer

    return ask


def drawn_mw(state: FactoryState, site: str, instant: int) -> int:
    """Return what the racks of a site are modelled to draw at an instant."""
    modelled = model(state, site, instant, instant + SECOND_MS)
    return modelled.hosts_mj + modelled.accelerators_mj


def outlook(plant: Plant, racks_mw: int, instant: int, *, hours_back: int, hours_ahead: int) -> list[dict[str, Any]]:
    """Return by hour how a site would run, or would have, with racks that draw as much as now: a model, no meter."""
    full_hour = instant - instant % HOUR_MS
    found: list[dict[str, Any]] = []
    for at_ms in range(full_hour - hours_back * HOUR_MS, full_hour + (hours_ahead + 1) * HOUR_MS, HOUR_MS):
        running, allowed = operate(plant, racks_mw, at_ms), allowed_at(plant, at_ms)
        water, limits, heat = running.water, running.limits, running.heat
        found.append(
            {
                "at_ms": at_ms,
                "air_mc": running.air_mc,
                "racks_allowed_mw": allowed.it_mw,
                "limited_by": allowed.cause.value,
                "total_mw": running.total_mw,
                "flow_litres_s": water.flow_litres_s if water is not None else None,
                "stream_above_mc": water.temperature_mc if water is not None else None,
                "stream_below_mc": water.temperature_mc + running.rise_mk if water is not None else None,
                "permit_mc": limits.temperature_mc if limits is not None else None,
                "stream_rise_mk": running.rise_mk if water is not None else None,
                "permit_rise_mk": limits.rise_mk if limits is not None else None,
                "heat_offered_mw": heat.offered_mw if heat is not None else None,
                "heat_demanded_mw": heat.demand_mw if heat is not None else None,
                "heat_delivered_mw": heat.delivered_mw if heat is not None else None,
            }
        )
    return found


def _reckoned(state: FactoryState, site: str) -> int:
    return reckoned_mw(state.scheduler.fleet, site, (job.shares for job in state.scheduler.holding.values()))


def _all_have_plant(rows: Iterable[Row]) -> bool:
    return all(row["has_plant"] for row in rows)


def _sum_known(rows: Sequence[Row], name: str) -> int | None:
    values = [row[name] for row in rows]
    return sum(int(value) for value in values) if values and all(value is not None for value in values) else None
