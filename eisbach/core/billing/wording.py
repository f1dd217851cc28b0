"""The words on an invoice, in German and English: they are part of its bytes, so each table belongs to a format."""

from dataclasses import dataclass

from eisbach.core.billing.invoice import HOUR_PARTS, LATE, RESOLD, Document, DocumentKind, Line
from eisbach.core.billing.vat import half_up
from eisbach.core.vocabulary.interval import calendar_date, date_text
from eisbach.core.vocabulary.money import euro_text

MJ_A_MWH = 3_600
"""Millijoule in a milliwatt-hour, a millionth of a kilowatt-hour."""


@dataclass(frozen=True, slots=True)
class Energy:
    """What a project's work drew in a month: millijoule, the label of the figure, and CO2 in milligrams where it is known."""

    total_mj: int
    label: str
    carbon_location_mg: int | None
    carbon_market_mg: int | None


_WORDS = {
    "de": {
        "invoice": "Rechnung",
        "credit-note": "Gutschrift (Rechnungskorrektur)",
        "capacity": "Rechenkapazität",
        "taken_back": "Zurückgenommen (Störung auf unserer Seite): Rechenkapazität",
        "resold": "Gutschrift für ungenutzte Zeit einer Buchung, die als Spot verkauft wurde:",
        "late": "Gutschrift für einen späteren Start als zugesagt, da die Leistung begrenzt war:",
        "place": "Projekt {project}, Standort {site} ({country}), Tarif {tariff}, {price} EUR je Stunde",
        "simulated": "SIMULIERTER Standort",
        "correction": "Gutschrift zur Rechnung {invoice}",
        "no_reason": "",
        "terms": "Zahlbar ohne Abzug bis {due}.",
        "credit_terms": "Der Betrag wird mit offenen Rechnungen verrechnet oder überwiesen.",
        "example": "MUSTER: Der Verkäufer ist ein Beispiel. Diese Rechnung ist keine Forderung.",
        "energy": "Energie von Projekt {project} in {period}, bis zur Ausstellung: {kwh} kWh ({label}), mit den Anteilen an "
        "Leerlauf, Kühlung und Verlusten{carbon}.",
        "carbon": "; CO2 standortbezogen {location} g, marktbezogen {market} g",
        "measured": "gemessen",
        "modelled": "modelliert",
        "simulated_energy": "simuliert",
        "rounding": "Beträge entstehen aus Millionstel Euro und werden einmal, in der Summe, auf Cent gerundet.",
    },
    "en": {
        "invoice": "Invoice",
        "credit-note": "Credit note",
        "capacity": "Computing capacity",
        "taken_back": "Taken back (a fault on our side): computing capacity",
        "resold": "Credit for idle time of a booking that was sold as spot:",
        "late": "Credit for a start later than promised, as power was capped:",
        "place": "Project {project}, site {site} ({country}), tariff {tariff}, {price} EUR an hour",
        "simulated": "SIMULATED site",
        "correction": "Credit for invoice {invoice}",
        "no_reason": "",
        "terms": "Payable without deduction by {due}.",
        "credit_terms": "The amount is set off against open invoices or transferred.",
        "example": "EXAMPLE: The seller is an example. This invoice is no claim.",
        "energy": "Energy of project {project} in {period}, up to the issue: {kwh} kWh ({label}), with its shares of idle "
        "machines, cooling and losses{carbon}.",
        "carbon": "; CO2 {location} g location-based, {market} g market-based",
        "measured": "measured",
        "modelled": "modelled",
        "simulated_energy": "simulated",
        "rounding": "Amounts are counted in millionths of a euro and rounded to cents once, in the sum.",
    },
}


def title(document: Document) -> str:
    """Return what kind of document it is, in its language."""
    return _words(document)[document.kind.value]


def line_name(document: Document, line: Line) -> str:
    """Return the name of a line's item (BT-153)."""
    words, supply = _words(document), line.supply
    if not supply.flavour:
        return words["correction"].format(invoice=_referred(document))
    if supply.capacity_class in (RESOLD, LATE):
        return f"{words[supply.capacity_class]} {supply.flavour}"
    kind = words["taken_back" if supply.is_taken_back else "capacity"]
    return f"{kind} {supply.flavour}, {supply.capacity_class}"


def line_description(document: Document, line: Line) -> str:
    """Return where the item was had, at what price, and whether the place was a simulated one (BT-154)."""
    words, supply, names = _words(document), line.supply, document.names
    if not supply.flavour:
        return names.reason
    place = names.places.get(supply.site)
    described = words["place"].format(
        project=names.projects.get(supply.project) or supply.project,
        site=supply.site,
        country=place.country if place is not None else "",
        tariff=supply.tariff,
        price=_spoken(document, euro_text(supply.price)),
    )
    label = words.get(place.label, "") if place is not None else ""
    return f"{described}; {label}" if label else described


def notes(document: Document) -> list[str]:
    """Return the notes of a document (BT-22)."""
    words, names = _words(document), document.names
    found = [words["example"]] if names.seller.is_example else []
    if document.refers_to is None:
        found.append(words["rounding"])
    return [*found, *names.notes]


def energy_note(language: str, project: str, period: str, energy: Energy) -> str:
    """Return what a project's work drew in a month, with the label of the figure, as a note on its invoice."""
    words = _WORDS.get(language, _WORDS["de"])
    carbon = ""
    if energy.carbon_location_mg is not None and energy.carbon_market_mg is not None:
        location, market = (_decimal(language, amount, 3) for amount in (energy.carbon_location_mg, energy.carbon_market_mg))
        carbon = words["carbon"].format(location=location, market=market)
    label = words.get({"simulated": "simulated_energy"}.get(energy.label, energy.label), energy.label)
    kwh = _decimal(language, half_up(energy.total_mj, MJ_A_MWH), 6)
    return words["energy"].format(project=project, period=period, kwh=kwh, label=label, carbon=carbon)


def payment_terms(document: Document) -> str:
    """Return until when and how a document is paid (BT-20)."""
    words = _words(document)
    if document.kind is DocumentKind.CREDIT_NOTE:
        return words["credit_terms"]
    return words["terms"].format(due=_day(document))


def quantity_text(hours: int) -> str:
    """Return hundred-millionths of an hour as a decimal text without needless zeros: `1.5`, `-0.00277778`."""
    whole, rest = divmod(abs(hours), HOUR_PARTS)
    text = f"{whole}.{rest:08d}".rstrip("0").rstrip(".")
    return f"-{text}" if hours < 0 else text


def cents_text(cents: int) -> str:
    """Return cents as euro with two decimals: `12.34`."""
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole}.{rest:02d}"


def percent_text(permille: int) -> str:
    """Return a rate as percent: `19`, `7.7`, `0`."""
    whole, rest = divmod(permille, 10)
    return f"{whole}.{rest}" if rest else str(whole)


def _decimal(language: str, amount: int, decimals: int) -> str:
    """Return an amount in tenth powers of its unit as a decimal text."""
    whole, rest = divmod(amount, 10**decimals)
    text = f"{whole}.{rest:0{decimals}d}"
    return text.replace(".", ",") if language == "de" else text


def _spoken(document: Document, number: str) -> str:
    """Return a decimal text as people of the document's language write it."""
    return number.replace(".", ",") if _language(document) == "de" else number


def _day(document: Document) -> str:
    year, month, day = calendar_date(document.due_ms)
    return f"{day:02d}.{month:02d}.{year}" if _language(document) == "de" else date_text(document.due_ms)


def _referred(document: Document) -> str:
    return document.refers_to[0] if document.refers_to is not None else ""


def _words(document: Document) -> dict[str, str]:
    return _WORDS[_language(document)]


def _language(document: Document) -> str:
    language = document.names.buyer.language
    return language if language in _WORDS else "de"
