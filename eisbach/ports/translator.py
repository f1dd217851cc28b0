"""What the faces need to speak a person's language."""

from collections.abc import Sequence
from typing import Protocol

SOURCE_LANGUAGE = "en"
"""The language in which texts stand in the code."""


def N_(message: str) -> str:
    """Mark a text of the code for the catalogues and return it as it is; it is translated where it is shown."""
    return message


def NN_(singular: str, plural: str) -> tuple[str, str]:
    """Mark the two forms of a text for the catalogues; which one suits a count is chosen where it is shown."""
    return singular, plural


class Translator(Protocol):
    """Texts and figures in the languages of the catalogues. May be called from any thread."""

    @property
    def languages(self) -> Sequence[str]:
        """Return the languages there are, the source language first."""

    def choose(self, accept_language: str) -> str:
        """Return the language that suits a header `Accept-Language` (RFC 9110 12.5.4) best."""

    def text(self, language: str, message: str) -> str:
        """Return a text of the code in this language; one that no catalogue has stays as it is."""

    def plural(self, language: str, singular: str, plural: str, count: int) -> str:
        """Return the form of a text that suits a count."""

    def number(self, language: str, value: float, decimals: int = 0) -> str:
        """Return a number with at most so many decimals, such as `1.234,5`."""

    def percent(self, language: str, share: float) -> str:
        """Return a share of 1 in percent."""

    def money(self, language: str, micro_eur: int) -> str:
        """Return an amount, exact and with at least two decimals, such as `1.234,56 EUR`."""

    def instant(self, language: str, at_ms: int, *, with_seconds: bool = False) -> str:
        """Return an instant with date and time in UTC."""

    def country(self, language: str, code: str) -> str:
        """Return the name of a country by its code (ISO 3166-1); an unknown code stays as it is."""

    def date(self, language: str, at_ms: int) -> str:
        """Return the date (UTC) of an instant."""

    def month(self, language: str, period: str) -> str:
        """Return a calendar month such as `2026-11` in words."""
