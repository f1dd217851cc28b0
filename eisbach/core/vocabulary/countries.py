"""Countries as rules name them: the codes of ISO 3166-1, and groups of countries with their date and source."""

from collections.abc import Iterable
from typing import NamedTuple

UNKNOWN_COUNTRY = "ZZ"
"""ISO 3166-1 leaves ZZ to its users; here nobody has said where something is. No rule can allow it."""

_ASSIGNED = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA
    CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA
    GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP
    KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS
    MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS
    RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW
    TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
COUNTRIES = frozenset(_ASSIGNED.split())
"""ISO 3166-1 alpha-2, the 249 codes officially assigned (ISO Online Browsing Platform, country codes collection)."""


class CountryGroup(NamedTuple):
    """A name that stands for countries in a rule: who belongs to it, since when, and who says so."""

    name: str
    members: frozenset[str]
    valid_from: str
    source: str


_MEMBERS_OF_EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
_EU = frozenset(_MEMBERS_OF_EU.split())
GROUPS = {
    "EU": CountryGroup(
        "EU", _EU, "2020-02-01", "Treaty on European Union, article 52, after the withdrawal of the United Kingdom"
    ),
    "EEA": CountryGroup(
        "EEA", _EU | {"IS", "LI", "NO"}, "2020-02-01", "Agreement on the European Economic Area, article 2, and the EU"
    ),
}
"""A rule that names a group is stored with its members: when a group changes, no rule changes silently."""


def is_country(code: str) -> bool:
    """Return whether a site may be said to be there: an assigned code, or ZZ: nobody has said which."""
    return code in COUNTRIES or code == UNKNOWN_COUNTRY


def is_country_or_group(code: str) -> bool:
    """Return whether a rule may name this: an assigned code or a group; ZZ is neither."""
    return code in COUNTRIES or code in GROUPS


def expand(codes: Iterable[str]) -> tuple[str, ...]:
    """Return the countries that codes and groups name, each once, in order."""
    found: set[str] = set()
    for code in codes:
        found |= GROUPS[code].members if code in GROUPS else {code}
    return tuple(sorted(found))


def collapse(countries: Iterable[str]) -> tuple[str, ...]:
    """Return the shortest way to write countries in a rule: those that belong to no whole group, then the groups."""
    left = set(countries)
    named: list[str] = []
    for name in ("EEA", "EU"):
        if GROUPS[name].members <= left:
            named.append(name)
            left -= GROUPS[name].members
    return (*sorted(left), *named)


def in_words(countries: Iterable[str]) -> str:
    """Return countries as a sentence names them: `CH, EU (27 countries as of 2020-02-01)`."""
    return ", ".join(
        f"{code} ({len(GROUPS[code].members)} countries as of {GROUPS[code].valid_from})" if code in GROUPS else code
        for code in collapse(countries)
    )
