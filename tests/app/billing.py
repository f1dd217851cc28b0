"""Invoices in domain words: who is billed, a month with work in it, and what stands on a document."""

from dataclasses import replace
from typing import Any

from eisbach.app import credit_invoice, issue_invoice, read_invoices, set_billing
from eisbach.app.commands import SYSTEM
from eisbach.core.billing.invoice import Document
from eisbach.core.billing.parties import Buyer
from eisbach.core.vocabulary.interval import month_of
from eisbach.core.vocabulary.quantities import HOUR_MS
from tests.app.factory import SELLER, Factory, a_job

FIRM = Buyer(
    name="Müller & Söhne <Pumpen> GmbH",
    street="Straße des 17. Juni 135",
    postcode="10623",
    city="Berlin",
    country="DE",
    electronic_address="rechnung@pumpen.example",
)


def organisation_of(factory: Factory) -> str:
    """The organisation of the factory's first project."""
    return factory.app.applier.state.projects[factory.project].organisation


def month(factory: Factory) -> str:
    """The month that runs."""
    return month_of(factory.clock.now())


def address(factory: Factory, buyer: Buyer = FIRM, **changes: str) -> Any:
    """Set billing details; return the answer."""
    command = set_billing.command(
        SYSTEM, organisation=organisation_of(factory), buyer=replace(buyer, **changes), seller_country=SELLER.country
    )
    return factory.perform(command)


def work(factory: Factory, hours: float = 1.0, **more: Any) -> str:
    """Run a job for so long, and let its end be settled; return it."""
    job = factory.submit(a_job(f"sleep {round(hours * 3600)}", limit_s=hours * 3600 + 60, **more))
    factory.pass_time(round(hours * HOUR_MS) + 1000)
    return job


def issue(factory: Factory, period: str | None = None) -> Any:
    """Issue an invoice for a month, by default the one that runs."""
    organisation = organisation_of(factory)
    return factory.call(lambda app: issue_invoice.issue(app, SYSTEM, organisation, period or month(factory)))


def credit(factory: Factory, invoice: str, net_cents: int | None = None, reason: str = "Kulanz") -> Any:
    """Issue a credit note."""
    return factory.call(lambda app: credit_invoice.credit(app, SYSTEM, invoice, net_cents, reason))


def file_of(factory: Factory, number: str) -> Any:
    """The file of a document, kept or made again."""
    assert factory.app.office is not None
    return read_invoices.file_of(factory.app.reader, factory.app.office, number)


def document(factory: Factory, number: str) -> Document:
    """A document put together from the log."""
    found = read_invoices.document_of(factory.app.reader, number)
    assert isinstance(found, Document), found
    return found


def kept_file(factory: Factory, number: str) -> Any:
    """The path of a kept file."""
    return factory.folder / "invoices" / f"{number}.xml"
