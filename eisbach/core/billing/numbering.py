"""The numbers of invoices and credit notes."""


def number_of(year: int, count: int) -> str:
    """Return the number of a year's n-th document; invoices and credit notes share one series without gaps."""
    return f"{year:04d}-{count:06d}"
