"""What issues the invoices of a home: its seller file, and the folder in which its documents are kept."""

from pathlib import Path

from eisbach.adapters.seller_file import read_seller_file, write_seller_file
from eisbach.adapters.xrechnung import XRechnungFolder
from eisbach.app.invoice_office import InvoiceOffice

SELLER_FILE = "seller.toml"
INVOICES = "invoices"


def open_office(home: Path) -> InvoiceOffice:
    """Return the office of a home, with an example seller at its first start; raise HomeFileError."""
    write_seller_file(home / SELLER_FILE)
    said = read_seller_file(home / SELLER_FILE)
    return InvoiceOffice(said.seller, said.rates, XRechnungFolder(home / INVOICES))
