"""Who sells and who buys: what an invoice has to say of both, and what is wrong with what they wrote."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import Enum

from eisbach.core.billing import identifiers
from eisbach.core.vocabulary.countries import COUNTRIES, GROUPS

TEXT_MAX = 120
LANGUAGES = ("de", "en")


class Treatment(Enum):
    """How VAT is dealt with: charged here, owed by a firm in another country of the EU, charged to a public body."""

    DOMESTIC = "domestic"
    REVERSE_CHARGE = "reverse-charge"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field, and what would be right; `wrong` names the kind of value and gives it."""

    field: str
    what: str
    do: str
    wrong: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seller:
    """The operator as it stands on its invoices; `is_example` until somebody has put real details in.

    `payment_days` is how long after its date an invoice is due.
    """

    name: str
    street: str
    postcode: str
    city: str
    country: str
    vat_id: str
    iban: str
    contact_name: str
    contact_phone: str
    contact_mail: str
    electronic_address: str
    payment_days: int
    is_example: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Whom invoices of an organisation go to. `buyer_reference` is the Leitweg-ID of a public body (BT-10), or what
    the buyer wants to find on the invoice; `electronic_address` is a mail address (BT-49)."""

    name: str
    street: str
    postcode: str
    city: str
    country: str
    electronic_address: str
    treatment: str = Treatment.DOMESTIC.value
    vat_id: str = ""
    buyer_reference: str = ""
    contact_name: str = ""
    language: str = "de"


BUYER_FIELDS = tuple(one.name for one in fields(Buyer))
_ADDRESS = {
    "name": "the legal name",
    "street": "street and number",
    "postcode": "the postcode",
    "city": "the city",
    "country": "the country as an ISO 3166-1 code such as DE",
    "electronic_address": "the mail address that invoices go to",
}


def missing_of_buyer(buyer: Buyer) -> list[FieldProblem]:
    """Return what an invoice needs and nobody has said yet."""
    return [
        FieldProblem(field, f"{field} is missing", f"Give {what}")
        for field, what in _ADDRESS.items()
        if not getattr(buyer, field)
    ]


def problems_of_buyer(buyer: Buyer, seller_country: str) -> list[FieldProblem]:
    """Return everything that is wrong with what a buyer wrote; fields may be empty as long as no invoice is issued."""
    return [*_texts(buyer), *_identifiers_of_buyer(buyer), *_treatment(buyer, seller_country)]


def problems_of_seller(seller: Seller) -> list[FieldProblem]:
    """Return everything that keeps the operator's details from standing on an invoice."""
    found = list(_texts(seller))
    for one in fields(Seller):
        value = getattr(seller, one.name)
        if isinstance(value, str) and not value:
            found.append(FieldProblem(one.name, f"{one.name} is empty", "An invoice has to say it (XRechnung 3.0)"))
    checks = (
        ("country", seller.country in COUNTRIES, "an ISO 3166-1 code such as DE"),
        ("vat_id", _vat_id_fits(seller.vat_id, seller.country), "the VAT id of this country, such as DE123456788"),
        ("iban", identifiers.is_iban(seller.iban), "an IBAN; its check digits have to fit"),
        ("contact_phone", identifiers.is_telephone(seller.contact_phone), "a number of at least three digits"),
        ("contact_mail", identifiers.is_mail_address(seller.contact_mail), "a mail address"),
        ("electronic_address", identifiers.is_mail_address(seller.electronic_address), "a mail address"),
    )
    for field, fits, wanted in checks:
        value = getattr(seller, field)
        if value and not fits:
            found.append(FieldProblem(field, f"{field} is {value!r}", f"It has to be {wanted}"))
    if not 0 <= seller.payment_days <= 120:
        found.append(FieldProblem("payment_days", f"payment_days is {seller.payment_days}", "Use 0 to 120"))
    return found


def _texts(party: Seller | Buyer) -> Iterator[FieldProblem]:
    """XML 1.0 cannot carry control characters at all (section 2.2), and nobody wants them in an address."""
    for one in fields(party):
        value = getattr(party, one.name)
        if not isinstance(value, str):
            continue
        if not value.isprintable():
            what = f"{one.name} has characters that cannot be printed"
            yield FieldProblem(one.name, what, "Use printable characters", ("unprintable", one.name))
        elif len(value) > TEXT_MAX:
            what = f"{one.name} has {len(value)} characters"
            yield FieldProblem(one.name, what, f"Use at most {TEXT_MAX}")
        elif value != value.strip():
            yield FieldProblem(one.name, f"{one.name} begins or ends with a space", "Leave the spaces out")


def _identifiers_of_buyer(buyer: Buyer) -> Iterator[FieldProblem]:
    if buyer.country and buyer.country not in COUNTRIES:
        what, do = f"There is no country {buyer.country!r}", "Use an ISO 3166-1 code such as DE"
        yield FieldProblem("country", what, do, ("wrong_country", buyer.country))
    if buyer.vat_id and not _vat_id_fits(buyer.vat_id, buyer.country):
        what = f"{buyer.vat_id!r} is no VAT id of {buyer.country or 'a country that nobody has named'}"
        do = "Check each digit; a German one is DE and nine digits, the last of them a check digit"
        yield FieldProblem("vat_id", what, do, ("wrong_vat_id", buyer.vat_id))
    if buyer.electronic_address and not identifiers.is_mail_address(buyer.electronic_address):
        what, do = f"{buyer.electronic_address!r} is no mail address", "Write one such as ap@firm.example, with two characters or more on each side of the @"
        yield FieldProblem("electronic_address", what, do, ("wrong_mail_address", buyer.electronic_address))
    if buyer.language not in LANGUAGES:
        yield FieldProblem("language", f"There are no invoices in {buyer.language!r}", f"Use one of {', '.join(LANGUAGES)}")


def _treatment(buyer: Buyer, seller_country: str) -> Iterator[FieldProblem]:
    if buyer.treatment not in {one.value for one in Treatment}:
        known = ", ".join(one.value for one in Treatment)
        yield FieldProblem("treatment", f"There is no treatment {buyer.treatment!r}", f"Use one of {known}")
        return
    match Treatment(buyer.treatment):
        case Treatment.DOMESTIC:
            if buyer.country and buyer.country != seller_country:
                what = f"A buyer in {buyer.country} is not a domestic one: the operator is in {seller_country}"
                do = "A firm of the EU with a VAT id has reverse-charge"
                yield FieldProblem("treatment", what, do, ("not_domestic", buyer.country))
        case Treatment.REVERSE_CHARGE:
            if not buyer.vat_id:
                what, do = "Reverse charge needs the buyer's VAT id", "Give it, or use domestic"
                yield FieldProblem("vat_id", what, do, ("needs_vat_id", buyer.treatment))
            if buyer.country and (buyer.country == seller_country or buyer.country not in GROUPS["EU"].members):
                what = f"Reverse charge is for firms in another country of the EU, not for {buyer.country}"
                yield FieldProblem("treatment", what, "Use domestic or public", ("no_reverse_charge_for", buyer.country))
        case Treatment.PUBLIC:
            if not identifiers.is_leitweg_id(buyer.buyer_reference):
                what = f"{buyer.buyer_reference!r} is no Leitweg-ID" if buyer.buyer_reference else "The Leitweg-ID is missing"
                do = "A public body has one, such as 04011000-1234512345-06; its last two digits are check digits"
                yield FieldProblem("buyer_reference", what, do, ("wrong_leitweg_id", buyer.buyer_reference))
            if buyer.country and buyer.country != seller_country:
                what = f"A public body in {buyer.country} is not billed with a Leitweg-ID"
                yield FieldProblem("treatment", what, "This program bills public bodies of its own country only")


def _vat_id_fits(vat_id: str, country: str) -> bool:
    return identifiers.is_vat_id(vat_id) and vat_id.startswith(identifiers.vat_prefix(country))
