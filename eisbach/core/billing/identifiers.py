"""Identifiers that stand on invoices, and the check digits that catch a slip of the finger before a document is sent."""

_DIGITS = frozenset("0123456789")
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")

VAT_FORMS: dict[str, tuple[str, ...]] = {
    "AT": ("U99999999",),
    "BE": ("9999999999",),
    "BG": ("999999999", "9999999999"),
    "CY": ("99999999A",),
    "CZ": ("99999999", "999999999", "9999999999"),
    "DE": ("999999999",),
    "DK": ("99999999",),
    "EE": ("999999999",),
    "EL": ("999999999",),
    "ES": ("X9999999X",),
    "FI": ("99999999",),
    "FR": ("XX999999999",),
    "HR": ("99999999999",),
    "HU": ("99999999",),
    "IE": ("9X99999A", "9999999AA"),
    "IT": ("99999999999",),
    "LT": ("999999999", "999999999999"),
    "LU": ("99999999",),
    "LV": ("99999999999",),
    "MT": ("99999999",),
    "NL": ("XXXXXXXXXXXX",),
    "PL": ("9999999999",),
    "PT": ("999999999",),
    "RO": tuple("9" * length for length in range(2, 11)),
    "SE": ("999999999999",),
    "SI": ("99999999",),
    "SK": ("9999999999",),
}
"""Prefix -> forms of a VAT id: 9 is a digit, A a letter, X either. Source: European Commission, VIES, "VAT number structure"."""

VAT_PREFIX_OF = {"GR": "EL"}
"""Countries whose VAT ids start with other letters than their ISO 3166-1 code."""

IBAN_LENGTHS = {
    "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24, "FI": 18, "FR": 27,
    "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26, "IT": 27, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27,
    "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27,
}  # fmt: skip
"""Characters of an IBAN by country, for the countries of SEPA. Source: SWIFT, IBAN registry."""


def without_spaces(text: str) -> str:
    """Return an identifier as machines write it: no spaces, capital letters."""
    return "".join(text.split()).upper()


def vat_prefix(country: str) -> str:
    """Return the letters that VAT ids of a country start with."""
    return VAT_PREFIX_OF.get(country, country)


def is_vat_id(text: str) -> bool:
    """Return whether a text has the form of a VAT id of the EU; a German one also has to have the right check digit."""
    forms = VAT_FORMS.get(text[:2], ())
    if not any(_has_form(text[2:], form) for form in forms):
        return False
    return not text.startswith("DE") or _german_check_digit(text[2:10]) == text[10]


def is_iban(text: str) -> bool:
    """Return whether a text is an IBAN with the right check digits (ISO 13616; ISO 7064, MOD 97-10)."""
    if not set(text) <= _DIGITS | _LETTERS or not 15 <= len(text) <= 34:
        return False
    if not (set(text[:2]) <= _LETTERS and set(text[2:4]) <= _DIGITS):
        return False
    return IBAN_LENGTHS.get(text[:2], len(text)) == len(text) and _mod_97(text[4:] + text[:4]) == 1


def is_leitweg_id(text: str) -> bool:
    """Return whether a text is a Leitweg-ID: 2 to 12 digits, at most 30 characters of fine address, 2 check digits.

    Source: KoSIT, "Leitweg-ID Formatspezifikation", version 2.0.2: ISO 7064, MOD 97-10 over all parts without hyphens.
    """
    parts = text.split("-")
    if len(parts) not in (2, 3) or not set("".join(parts)) <= _DIGITS | _LETTERS:
        return False
    coarse, check = parts[0], parts[-1]
    if not (set(coarse) <= _DIGITS and 2 <= len(coarse) <= 12 and set(check) <= _DIGITS and len(check) == 2):
        return False
    if len(parts) == 3 and not 1 <= len(parts[1]) <= 30:
        return False
    return _mod_97("".join(parts)) == 1


def is_mail_address(text: str) -> bool:
    """Return whether a text can be a mail address as rule BR-DE-28 of XRechnung wants it: two characters and more
    on both sides of the one @, no spaces, no full stop at the ends or beside the @."""
    name, at, host = text.partition("@")
    if not at or "@" in host or any(letter.isspace() or not letter.isprintable() for letter in text):
        return False
    return all(len(part) >= 2 and not part.startswith(".") and not part.endswith(".") for part in (name, host))


def is_telephone(text: str) -> bool:
    """Return whether a text has the three digits that rule BR-DE-27 of XRechnung asks for."""
    return sum(letter in _DIGITS for letter in text) >= 3


def _has_form(text: str, form: str) -> bool:
    allowed = {"9": _DIGITS, "A": _LETTERS, "X": _DIGITS | _LETTERS}
    return len(text) == len(form) and all(
        letter in allowed.get(sign, {sign}) for letter, sign in zip(text, form, strict=True)
    )


def _german_check_digit(digits: str) -> str:
    """Return the ninth digit of a German VAT id (ISO 7064, MOD 11,10)."""
    product = 10
    for digit in digits:
        total = (int(digit) + product) % 10 or 10
        product = 2 * total % 11
    return str((11 - product) % 10)


def _mod_97(text: str) -> int:
    """Return the remainder by 97 of a text in which letters count 10 to 35 (ISO 7064)."""
    return int("".join(str(int(letter, 36)) for letter in text)) % 97
