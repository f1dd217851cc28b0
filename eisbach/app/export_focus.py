"""Costs as FinOps tools read them: FOCUS 1.2 (FinOps Open Cost and Usage Specification), one row a day, job and price.

Source of the columns: focus.finops.org, version 1.2, with the provider columns of 1.3 beside those they replace. Amounts
are net and exact; their sum is the ledger's. Faults of ours are rows of their own, with the category Credit.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from eisbach.app.bill_movements import movements, places
from eisbach.app.bill_overview import NO_END
from eisbach.core.billing.invoice import HOUR_PARTS, LATE, RESOLD, Place, Supply
from eisbach.core.billing.vat import half_up
from eisbach.core.billing.wording import quantity_text
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.vocabulary.interval import date_text, period_bounds
from eisbach.core.vocabulary.money import euro_text
from eisbach.core.vocabulary.quantities import DAY_MS
from eisbach.ports.store import Reader, Row

COLUMNS = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodStart", "BillingPeriodEnd",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodStart", "ChargePeriodEnd", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName",
    "ServiceCategory", "ServiceName", "ServiceProviderName", "HostProviderName", "ListUnitPrice", "PricingCategory",
    "RegionId", "ResourceId", "ResourceName", "ResourceType", "SubAccountId", "SubAccountName",
    "x_CapacityClass", "x_Country", "x_Flavour", "x_PlaceLabel", "x_Tariff",
)  # fmt: skip
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet run a text as a formula; a tenant's text that begins so gets an apostrophe before it."""

_WHAT = {
    CapacityClass.RESERVED.value: "booked",
    RESOLD: "idle time of a booking that was sold as spot",
    LATE: "credited as power was capped: the start came later than promised",
}

_Key = tuple[str, str, Supply]


def rows_of(reader: Reader, project: Row, organisation: Row, period: str, issuer: str) -> list[dict[str, str]]:
    """Return a project's month as rows with the columns above, by day and job."""
    moved = movements(reader, [project["project"]], period, 0, NO_END)
    named = places(reader, moved)
    start_ms, end_ms = period_bounds(period)
    sums: dict[_Key, int] = {}
    for one in moved:
        # What was settled just after the month's end was held in the month.
        key = (date_text(max(start_ms, min(one.at_ms, end_ms - 1))), one.job, one.supply)
        sums[key] = sums.get(key, 0) + one.amount
    names = {job: str((reader.row("jobs", job) or {"name": ""})["name"]) for job in {key[1] for key in sums}}
    shared = _shared(project, organisation, period, issuer)
    ordered = sorted(sums, key=lambda key: (key[0], key[1], key[2].is_taken_back, key[2].price))
    return [{**shared, **_row(key, sums[key], names[key[1]], named, start_ms, end_ms)} for key in ordered if sums[key]]


def _shared(project: Row, organisation: Row, period: str, issuer: str) -> dict[str, str]:
    start_ms, end_ms = period_bounds(period)
    return {
        "BillingAccountId": organisation["organisation"],
        "BillingAccountName": _text(organisation["name"]),
        "BillingCurrency": "EUR",
        "BillingPeriodStart": _instant(start_ms),
        "BillingPeriodEnd": _instant(end_ms),
        "ChargeClass": "",
        "InvoiceIssuerName": _text(issuer),
        "PricingUnit": "Hours",
        "ProviderName": _text(issuer),
        "PublisherName": _text(issuer),
        "ServiceProviderName": _text(issuer),
        "HostProviderName": _text(issuer),
        "ServiceCategory": "Compute",
        "ServiceName": "Eisbach jobs",
        "SubAccountId": project["project"],
        "SubAccountName": _text(project["name"]),
    }


def _row(
    key: _Key, amount: int, name: str, named: Mapping[str, Place], start_ms: int, end_ms: int
) -> dict[str, Any]:
    day, job, supply = key
    cost = euro_text(amount)
    place = named.get(supply.site)
    first = next(at for at in range(start_ms, end_ms, DAY_MS) if date_text(at) == day)
    what = _WHAT.get(supply.capacity_class, "taken back after a fault of the operator's" if supply.is_taken_back else "held")
    is_booked = supply.capacity_class in (RESOLD, CapacityClass.RESERVED.value)
    return {
        "BilledCost": cost,
        "ContractedCost": cost,
        "EffectiveCost": cost,
        "ListCost": cost,
        "ChargeCategory": "Credit" if supply.is_taken_back else "Usage",
        "ChargeDescription": f"{supply.flavour}, {supply.capacity_class}, {what}",
        "ChargePeriodStart": _instant(first),
        "ChargePeriodEnd": _instant(first + DAY_MS),
        "PricingQuantity": quantity_text(half_up(amount * HOUR_PARTS, supply.price) if supply.price else 0),
        "ListUnitPrice": euro_text(supply.price),
        "PricingCategory": "Committed" if is_booked else "Dynamic" if supply.capacity_class == "spot" else "Standard",
        "RegionId": _text(supply.site),
        "ResourceId": job,
        "ResourceName": _text(name),
        "ResourceType": "booking" if is_booked else "job",
        "x_CapacityClass": supply.capacity_class,
        "x_Country": place.country if place is not None else "",
        "x_Flavour": supply.flavour,
        "x_PlaceLabel": place.label if place is not None else "",
        "x_Tariff": _text(supply.tariff),
    }


def csv_lines(rows: Sequence[Mapping[str, str]]) -> list[Sequence[str]]:
    """Return the header and the rows as cells in the order of the columns."""
    return [COLUMNS, *([row[column] for column in COLUMNS] for row in rows)]


def _instant(at_ms: int) -> str:
    return f"{date_text(at_ms)}T00:00:00Z"


def _text(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text
