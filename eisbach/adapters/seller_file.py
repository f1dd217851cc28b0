"""Who sells, and at which VAT: `seller.toml` of a home, written as an example at the first start, edited by the operator."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from eisbach.adapters.home_files import WRITTEN_AT_START, HomeFileError, known_keys, read_toml, table_of, write_once
from eisbach.core.billing.identifiers import without_spaces
from eisbach.core.billing.parties import Seller, problems_of_seller
from eisbach.core.billing.vat import VatRate

TEXTS = (
    "name",
    "street",
    "postcode",
    "city",
    "country",
    "vat_id",
    "iban",
    "contact_name",
    "contact_phone",
    "contact_mail",
    "electronic_address",
)


@dataclass(frozen=True, slots=True)
class SellerFile:
    """What the file says."""

    seller: Seller
    rates: tuple[VatRate, ...]


def write_seller_file(path: Path) -> None:
    """Write the example; a file that is there is left alone."""
    content = """\
# Who sells, as it stands on every invoice. This is an EXAMPLE: put your own details in, then set example = false.
# As long as example is true, each invoice says that it is one. VAT id and IBAN are checked.

[seller]
example = true
name = "Beispiel KI-Fabrik GmbH"
street = "Am Tucherpark 1"
postcode = "80538"
city = "München"
country = "DE"
vat_id = "DE123456788"
iban = "DE02 1203 0000 0000 2020 51"
contact_name = "Rechnungsstelle"
contact_phone = "+49 89 0000 000"
contact_mail = "rechnung@factory.example"
electronic_address = "rechnung@factory.example"  # where electronic answers to invoices go (BT-34)
payment_days = 14

# The standard rates of VAT, each from its first day on (§ 12 (1) UStG). A new rate is a new entry; the old one stays.
[[vat]]
country = "DE"
percent = "19"
valid_from = 2021-01-01
"""
    write_once(path, content)


def read_seller_file(path: Path) -> SellerFile:
    """Return what the file says; raise HomeFileError with the first thing that is wrong in it."""
    raw = read_toml(path, if_missing=WRITTEN_AT_START)
    known_keys(path, raw, ("seller", "vat"), "")
    said = table_of(path, raw.get("seller"), "[seller]")
    known_keys(path, said, ("example", "payment_days", *TEXTS), "[seller] ")
    example, days = said.get("example", False), said.get("payment_days", 14)
    if not isinstance(example, bool):
        raise HomeFileError(f"{path}: [seller] example is {example!r}, but must be true or false")
    if isinstance(days, bool) or not isinstance(days, int):
        raise HomeFileError(f"{path}: [seller] payment_days is {days!r}, but must be a whole number of days")
    texts = {name: _text(path, said, name) for name in TEXTS}
    for name in ("vat_id", "iban"):
        texts[name] = without_spaces(texts[name])
    seller = Seller(**texts, payment_days=days, is_example=example)
    for problem in problems_of_seller(seller):
        raise HomeFileError(f"{path}: [seller] {problem.what}. {problem.do}")
    rates = raw.get("vat", [])
    if not isinstance(rates, list):
        raise HomeFileError(f"{path}: vat must be written as [[vat]], once for each rate")
    read = tuple(_rate(path, table_of(path, one, "[[vat]]")) for one in rates)
    if not any(rate.country == seller.country for rate in read):
        raise HomeFileError(f"{path}: there is no [[vat]] for {seller.country}, the seller's country")
    return SellerFile(seller, read)


def _rate(path: Path, said: Mapping[str, Any]) -> VatRate:
    known_keys(path, said, ("country", "percent", "valid_from"), "[[vat]] ")
    percent, since = said.get("percent"), said.get("valid_from")
    whole, _, tenth = str(percent).partition(".")
    if not isinstance(percent, str) or not (whole.isdecimal() and whole.isascii()) or not (tenth == "" or tenth in "0123456789"):
        raise HomeFileError(f'{path}: [[vat]] percent is {percent!r}, but must be a text such as "19" or "7.7"')
    if not isinstance(since, date) or isinstance(since, datetime):
        raise HomeFileError(f"{path}: [[vat]] valid_from is {since!r}, but must be a day such as 2021-01-01")
    first = datetime(since.year, since.month, since.day, tzinfo=UTC)
    return VatRate(
        country=_text(path, said, "country"),
        permille=int(whole) * 10 + int(tenth or 0),
        valid_from_ms=int(first.timestamp()) * 1000,
    )


def _text(path: Path, said: Mapping[str, Any], key: str) -> str:
    value = said.get(key)
    if not isinstance(value, str):
        raise HomeFileError(f"{path}: {key} is {value!r}, but must be a text in quotes")
    return value
