"""What issuing invoices needs from outside the log: who sells, at which VAT, and what writes the files."""

from collections.abc import Sequence
from dataclasses import dataclass

from eisbach.core.billing.parties import Seller
from eisbach.core.billing.vat import VatRate
from eisbach.ports.documents import Documents


@dataclass(frozen=True, slots=True)
class InvoiceOffice:
    """The operator's details, the VAT rates that hold when, and the maker of documents."""

    seller: Seller
    rates: Sequence[VatRate]
    documents: Documents
