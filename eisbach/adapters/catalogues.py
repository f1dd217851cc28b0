"""Message catalogues (gettext .po) and the formats of languages, with Babel; a language is read when it is first asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from gettext import GNUTranslations
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

from eisbach.core.vocabulary.money import EURO
from eisbach.ports.translator import SOURCE_LANGUAGE

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONEY = "#,##0.00####"
_RANGES_MAX = 20
"""Parts of an Accept-Language header that are looked at."""


class Catalogues:
    """The catalogues of the package: `locale/<language>/<area>.po`, one or several a language (a Translator)."""

    def __init__(self) -> None:
        folders = sorted(folder.name for folder in _folder().iterdir() if folder.is_dir())
        self._languages = (SOURCE_LANGUAGE, *(name for name in folders if name != SOURCE_LANGUAGE))

    @property
    def languages(self) -> Sequence[str]:
        """Return the languages there are, the source language first."""
        return self._languages

    def choose(self, accept_language: str) -> str:
        """Return the language that suits a header `Accept-Language` best; the source language where none does."""
        wanted = sorted(_ranges(accept_language), key=lambda one: -one.weight)
        for one in wanted:
            if one.weight > 0 and one.language in self._languages:
                return one.language
        return SOURCE_LANGUAGE

    def text(self, language: str, message: str) -> str:
        """Return a text of the code in this language; one that no catalogue has stays as it is."""
        return message if language == SOURCE_LANGUAGE else _translations(language).gettext(message)

    def plural(self, language: str, singular: str, plural: str, count: int) -> str:
        """Return the form of a text that suits a count."""
        if language == SOURCE_LANGUAGE:
            return singular if count == 1 else plural
        return _translations(language).ngettext(singular, plural, count)

    def number(self, language: str, value: float, decimals: int = 0) -> str:
        """Return a number with at most so many decimals."""
        return format_decimal(Decimal(str(value)), f"#,##0.{'#' * decimals}" if decimals else "#,##0", locale=_locale(language))

    def percent(self, language: str, share: float) -> str:
        """Return a share of 1 in percent."""
        return format_percent(Decimal(str(share)), "#,##0.# %", locale=_locale(language))

    def money(self, language: str, micro_eur: int) -> str:
        """Return an amount, exact and with at least two decimals, such as `1.234,56 EUR`."""
        return f"{format_decimal(Decimal(micro_eur) / EURO, _MONEY, locale=_locale(language))} EUR"

    def instant(self, language: str, at_ms: int, *, with_seconds: bool = False) -> str:
        """Return an instant with date and time in UTC."""
        shown = _EPOCH + timedelta(milliseconds=at_ms)
        locale = _locale(language)
        time = shown.strftime("%H:%M:%S" if with_seconds else "%H:%M")
        return f"{format_date(shown.date(), 'medium', locale=locale)}, {time} UTC"

    def country(self, language: str, code: str) -> str:
        """Return the name of a country by its code (ISO 3166-1); an unknown code stays as it is."""
        return str(_locale(language).territories.get(code, code))

    def date(self, language: str, at_ms: int) -> str:
        """Return the date (UTC) of an instant."""
        return format_date((_EPOCH + timedelta(milliseconds=at_ms)).date(), "long", locale=_locale(language))

    def month(self, language: str, period: str) -> str:
        """Return a calendar month such as `2026-11` in words."""
        year, month = period.split("-")
        return format_datetime(datetime(int(year), int(month), 1), "MMMM y", locale=_locale(language))  # noqa: DTZ001


@dataclass(frozen=True, slots=True)
class _Range:
    language: str
    weight: float


def _ranges(header: str) -> list[_Range]:
    found = []
    for part in header.split(",")[:_RANGES_MAX]:
        tag, _, parameter = part.partition(";")
        name, _, value = parameter.partition("=")
        try:
            weight = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            weight = 0.0
        found.append(_Range(tag.strip().partition("-")[0].lower(), weight))
    return found


def _folder() -> Traversable:
    return files("eisbach").joinpath("locale")


@lru_cache(maxsize=16)
def _locale(language: str) -> Locale:
    return Locale.parse(language)


@lru_cache(maxsize=16)
def _translations(language: str) -> GNUTranslations:
    """Return all catalogues of a language as one. A message that several have is the same in each (a test holds this)."""
    merged = Catalog(locale=language)
    folder = _folder().joinpath(language)
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if file.name.endswith(".po"):
            for message in read_po(BytesIO(file.read_bytes()), locale=language):
                if message.id and message.string:
                    merged.add(message.id, message.string)
    compiled = BytesIO()
    write_mo(compiled, merged)
    compiled.seek(0)
    return GNUTranslations(compiled)
