"""`eisbach site`: power, stream and heat of a site by hour, and the cap an operator sets."""

from math import isfinite
from typing import Annotated, Any

import typer

from eisbach.cli import energy_figures as words
from eisbach.cli import figures
from eisbach.cli.client import segment
from eisbach.cli.errors import usage_error
from eisbach.cli.instants import instant_ms
from eisbach.cli.output import Format, Output, document, pairs, show, table
from eisbach.cli.session import Session

Json = dict[str, Any]
Name = Annotated[str, typer.Argument(metavar="SITE", help="The site's name.")]
Hours = Annotated[int, typer.Option("--hours", min=1, max=744, help="How many hours back.")]


def power(site: Name, hours: Hours = 24, output_format: Output = Format.TABLE) -> None:
    """Show what a site drew by hour, its figures and its cap."""
    found = _read(site, hours)
    show(document("site-energy", **found), output_format, lambda is_wide: _print_power(found))


def stream(site: Name, hours: Hours = 24, output_format: Output = Format.TABLE) -> None:
    """Show how a site warmed its stream, and its permit."""
    found = _read(site, hours)
    show(document("site-energy", **found), output_format, lambda is_wide: _print_stream(found))


def heat(site: Name, hours: Hours = 24, output_format: Output = Format.TABLE) -> None:
    """Show the heat that a site gave to its quarter."""
    found = _read(site, hours)
    show(document("site-energy", **found), output_format, lambda is_wide: _print_heat(found))


def cap(
    site: Name,
    kw: Annotated[float | None, typer.Option("--kw", min=0, help="What the whole site may draw from the grid.")] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="INSTANT", help="Such as 2026-07-14T18:00, or 6h from now; without it, until it is lifted.")
    ] = None,
    lift: Annotated[bool, typer.Option("--lift", help="End the cap.")] = False,
    output_format: Output = Format.TABLE,
) -> None:
    """Cap the power of a site; spot work gives way first."""
    if (kw is None) != lift:
        raise usage_error("Say either --kw or --lift", "For example `eisbach site cap munich --kw 500`")
    if kw is not None and not isfinite(kw):  # no JSON number
        raise usage_error(f"--kw is {kw}, but must be a number of kilowatts", "For example `eisbach site cap munich --kw 500`")
    ends_ms = max(1, instant_ms(until, "--until")) if until is not None else 0  # 0 says that it has no end
    body = {"kw": kw, "until_ms": ends_ms}
    changed = Session().client.post(f"/v1/sites/{segment(site)}/cap", body)
    show(document("site-cap", **changed), output_format, lambda is_wide: print(_capped(site, changed)))


def _read(site: str, hours: int) -> Json:
    found: Json = Session().client.get(f"/v1/sites/{segment(site)}/energy", hours=str(hours))
    return found


def _print_power(found: Json) -> None:
    now, plant = found["now"], found["now"]["plant"]
    pairs(
        [
            *_head(found),
            ("racks", f"{figures.counted(now['nodes'], 'node')}, {figures.counted(now['gpus'], 'GPU')}; {words.kilowatt(now['idle_mw'])} at rest, {words.kilowatt(now['rated_mw'])} at most"),
            ("draw now", f"{words.kilowatt(now['drawn_mw'])} (modelled)"),
            ("reckoned with", f"{words.kilowatt(now['reckoned_mw'])} (all work at its rating; modelled)"),
            *(("cap", _cap_text(one)) for one in now["caps"]),
            ("plant allows", f"{words.kilowatt(plant['racks_allowed_mw'])} for the racks; limit: {plant['limited_by']}" if plant else ""),
            *((name.upper().partition("_")[0], found[name] or words.UNKNOWN) for name in ("pue", "wue_l_per_kwh", "erf", "ref")),
            ("check", _check_text(found["check"])),
        ]
    )
    rows = [
        [
            figures.instant_short(one["hour_at"]),
            words.kilowatt(one["it_mw"]),
            words.kilowatt(one["losses_mw"]),
            words.kilowatt(one["cooling_mw"]),
            one["pue"] or "-",
            words.carbon(one["carbon_location_mg"]),
            one["label"] + (" gap" if one["is_gap"] else ""),
        ]
        for one in found["hours"]
    ]
    _hours_table([">RACKS", ">LOSSES", ">COOLING", ">PUE", ">CO2 BY PLACE", "LABEL"], rows)


def _print_stream(found: Json) -> None:
    plant = found["now"]["plant"] or {}
    if not plant.get("stream"):
        pairs([*_head(found), ("stream", "the site file describes none")])
        return
    pairs(
        [
            *_head(found),
            ("stream", f"{plant['stream']}, {plant['flow_litres_s'] / 1000:.2f} m3/s, {words.degrees(plant['stream_above_mc'])} C above the site (modelled)"),
            ("permit", f"{words.degrees(plant['permit_mc'])} C and {words.degrees(plant['permit_rise_mk'])} K ({plant['permit_source']})"),
            ("may take", words.kilowatt(plant["heat_to_stream_allowed_mw"])),
        ]
    )
    rows = [
        [
            figures.instant_short(one["hour_at"]),
            f"{one['flow_litres_s'] / 1000:.2f}",
            words.degrees(one["stream_above_mc"]),
            words.degrees(one["stream_above_mc"] + one["stream_rise_mk"]),
            words.degrees(one["permit_mc"]),
            words.degrees(one["stream_rise_mk"]),
            words.degrees(one["permit_rise_mk"]),
            one["label"],
        ]
        for one in found["hours"]
        if one["flow_litres_s"] is not None
    ]
    _hours_table([">M3/S", ">C ABOVE", ">C BELOW", ">PERMIT C", ">RISE K", ">PERMIT K", "LABEL"], rows)


def _print_heat(found: Json) -> None:
    known = [one for one in found["hours"] if one["heat_offered_mj"] is not None]
    offered, wanted, given = (sum(one[f"heat_{name}_mj"] for one in known) for name in ("offered", "demanded", "delivered"))
    covered = f"{given * 100 // wanted} %" if wanted else words.UNKNOWN
    pairs(
        [
            *_head(found),
            ("offered", f"{words.kwh(offered)} kWh"),
            ("wanted", f"{words.kwh(wanted)} kWh"),
            ("delivered", f"{words.kwh(given)} kWh, {covered} of what the quarter wanted"),
            ("ERF", found["erf"] or words.UNKNOWN),
        ]
        if known
        else [*_head(found), ("heat", "the site file describes no quarter that takes heat, or nothing was metered yet")]
    )
    rows = [
        [
            figures.instant_short(one["hour_at"]),
            *(words.kwh(one[f"heat_{name}_mj"]) for name in ("offered", "demanded", "delivered")),
            one["label"],
        ]
        for one in known
    ]
    _hours_table([">OFFERED KWH", ">WANTED KWH", ">DELIVERED KWH", "LABEL"], rows)


def _hours_table(columns: list[str], rows: list[list[str]]) -> None:
    if rows:
        print()
        table(["HOUR", *columns], rows)


def _head(found: Json) -> list[tuple[str, str]]:
    return [("site", f"{found['site']} ({found['label'] or 'nothing metered yet'})"), ("meter", found["meter"])]


def _cap_text(one: Json) -> str:
    until = f" until {figures.minute(one['until_at'])}" if one["until_at"] else ""
    return f"{words.kilowatt(one['racks_mw'])} for the racks, {one['cause']}{until}"


def _check_text(check: Json) -> str:
    parts = " + ".join(words.kwh(check[name]) for name in ("jobs_mj", "operator_idle_mj", "operator_overhead_mj"))
    sign = "=" if check["is_exact"] else "is NOT"
    return f"jobs + idle + overhead {parts} {sign} meter {words.kwh(check['meter_mj'])} kWh ({check['period']})"


def _capped(site: str, changed: Json) -> str:
    if changed["racks_mw"] is None:
        return f"The cap on {site} is lifted."
    until = f" until {figures.minute(changed['until_at'])}" if changed["until_at"] else " until it is lifted"
    return f"The racks of {site} may draw {words.kilowatt(changed['racks_mw'])}{until}. What is above saves and waits, spot first."
