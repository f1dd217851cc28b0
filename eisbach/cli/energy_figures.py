"""How energy, power, temperature and CO2 are written for a person. Documents (`-o json`) keep the integers."""

from typing import Any

MJ_PER_KWH = 3_600_000_000
UNKNOWN = "not measured"


def kwh(energy_mj: int | None) -> str:
    """Return an energy such as `0.000417`, `12.35` or `1,204`, in kWh."""
    if energy_mj is None:
        return UNKNOWN
    amount = energy_mj / MJ_PER_KWH
    return f"{amount:,.0f}" if amount >= 1000 else f"{amount:.2f}" if amount >= 1 else f"{amount:.6f}"


def kilowatt(power_mw: int | None) -> str:
    """Return a power in kW or, from a thousand of them on, in MW."""
    if power_mw is None:
        return UNKNOWN
    amount = power_mw / 1_000_000
    return f"{amount / 1000:.2f} MW" if amount >= 1000 else f"{amount:.2f} kW" if amount >= 1 else f"{amount * 1000:.0f} W"


def degrees(temperature_mc: int | None) -> str:
    """Return a temperature or a difference with two decimals."""
    return UNKNOWN if temperature_mc is None else f"{temperature_mc / 1000:.2f}"


def carbon(milligrams: int | None) -> str:
    """Return a mass of CO2 equivalent in the unit that reads best."""
    if milligrams is None:
        return "unknown"
    for unit, factor in (("kg", 1_000_000), ("g", 1_000)):
        if milligrams >= factor:
            return f"{milligrams / factor:.2f} {unit}"
    return f"{milligrams} mg"


def parts(statement: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the lines of an energy account: in total with its label, by part, and the CO2 by both methods."""
    if not statement["label"]:
        return [("energy", "nothing metered yet")]
    return [
        ("energy", f"{kwh(statement['total_mj'])} kWh ({statement['label']})"),
        ("  own work", f"{kwh(statement['own_mj'])} kWh"),
        ("  idle share", f"{kwh(statement['idle_mj'])} kWh"),
        ("  overhead", f"{kwh(statement['overhead_mj'])} kWh (losses and cooling)"),
        ("CO2 by place", carbon(statement["carbon_location_mg"])),
        ("CO2 by market", carbon(statement["carbon_market_mg"])),
    ]
