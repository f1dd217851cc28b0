"""Countries: the codes of ISO 3166-1, as the Unicode CLDR lists them (Babel carries its data)."""

from functools import cache

from babel import Locale

UNKNOWN_COUNTRY = "ZZ"
"""ISO 3166-1 leaves ZZ to its users; here it says that nobody has told the factory where it stands."""
NO_COUNTRIES = frozenset({"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB"})
"""Codes of the CLDR that ISO 3166-1 assigns to no country: groups, parts of countries, and codes for tests."""


def is_country(code: str) -> bool:
    """Return whether this is the two-letter code of a country, or ZZ: nobody has said which."""
    return code in _countries()


@cache
def _countries() -> frozenset[str]:
    codes = map(str, Locale("en").territories)  # the world and its continents have numbers there
    return frozenset(code for code in codes if len(code) == 2 and code.isalpha()) - NO_COUNTRIES
