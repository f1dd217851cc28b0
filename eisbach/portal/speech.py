"""A person's language on a page: texts, figures, instants and refusals, all from the application's translator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from eisbach.app.finding_texts import countries_in_words, finding_sentence
from eisbach.app.tell_refusal import ToldRefusal, capacity_words, say, tell, title_of
from eisbach.app.why_texts import Capacity, Said
from eisbach.core.jobs.request import WHOLE
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.translator import N_, Translator

_SIZES = (("TiB", 1024**4), ("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))


@dataclass(frozen=True, slots=True)
class Speech:
    """A translator in one language. What it returns of texts may stand in HTML: values are escaped, texts are ours."""

    translator: Translator
    language: str

    def text(self, message: str, /, **values: object) -> Markup:
        """Return a text of the code with its values, each escaped: `text("{count} jobs", count=3)`."""
        return Markup(self.translator.text(self.language, message)).format(**self._shown(values))

    def plural(self, singular: str, plural: str, count: int, /, **values: object) -> Markup:
        """Return the form of a text that suits a count, which it may name as `{count}`."""
        chosen = self.translator.plural(self.language, singular, plural, count)
        return Markup(chosen).format(count=self.number(count), **self._shown(values))

    def reason(self, code: str) -> str:
        """Return the short name of a reason by its code; an unknown code stays as it is."""
        return title_of(self.translator, self.language, Reason(code)) if code in Reason.__members__ else code

    def told(self, refusal: Refusal) -> ToldRefusal:
        """Return a refusal in words."""
        return tell(self.translator, self.language, refusal)

    def money(self, micro_eur: int) -> str:
        """Return an amount such as `1.234,56 EUR`."""
        return self.translator.money(self.language, micro_eur)

    def number(self, value: float, decimals: int = 0) -> str:
        """Return a number."""
        return self.translator.number(self.language, value, decimals)

    def percent(self, share: float) -> str:
        """Return a share of 1 in percent."""
        return self.translator.percent(self.language, share)

    def instant(self, at_ms: int | None, *, with_seconds: bool = False) -> str:
        """Return date and time of an instant in UTC, a dash for none."""
        return "–" if at_ms is None else self.translator.instant(self.language, at_ms, with_seconds=with_seconds)

    def country(self, code: str) -> str:
        """Return the name of a country by its code."""
        return self.translator.country(self.language, code)

    def countries(self, codes: Sequence[str]) -> str:
        """Return the names of countries, whole groups of them under their own."""
        return ", ".join(countries_in_words(self.translator, self.language, codes))

    def finding(self, finding: Mapping[str, object]) -> str:
        """Return in sentences why a placement rule forbids a place."""
        return finding_sentence(self.translator, self.language, finding)

    def date(self, at_ms: int) -> str:
        """Return the date of an instant."""
        return self.translator.date(self.language, at_ms)

    def month(self, period: str) -> str:
        """Return a calendar month such as `2026-11` in words."""
        return self.translator.month(self.language, period)

    def duration(self, milliseconds: int) -> str:
        """Return a duration in its two largest units, such as `2 h 5 min`."""
        units = ((DAY_MS, N_("d")), (HOUR_MS, N_("h")), (MINUTE_MS, N_("min")), (SECOND_MS, N_("s")))
        parts: list[str] = []
        rest = milliseconds
        for length, unit in units:
            count, rest = divmod(rest, length)
            if count and len(parts) < 2:
                parts.append(f"{self.number(count)} {self.translator.text(self.language, unit)}")
        return " ".join(parts) or f"{self.number(milliseconds / 1000, 1)} s"

    def size(self, count: int) -> str:
        """Return a number of bytes in the unit that suits it."""
        for unit, length in _SIZES:
            if count >= length:
                return f"{self.number(count / length, 1)} {unit}"
        return f"{self.number(count)} {self.translator.text(self.language, N_('bytes'))}"

    def memory(self, mib: int) -> str:
        """Return an amount of memory."""
        return self.size(mib * 1024**2)

    def capacity(self, cpu_milli: int, memory_mib: int, gpus: int = 0) -> str:
        """Return cores, memory and GPUs such as `0.5 cores, 2 GiB, 1 GPU`."""
        return capacity_words(self.translator, self.language, Capacity(cpu_milli, memory_mib, gpus * WHOLE))

    def said(self, said: Said) -> str:
        """Return a sentence about a job."""
        return say(self.translator, self.language, said)

    def cores(self, cpu_milli: int) -> str:
        """Return a number of cores."""
        return self.number(cpu_milli / 1000, 3)

    def _shown(self, values: Mapping[str, object]) -> dict[str, object]:
        return {name: self.number(value) if isinstance(value, int) and not isinstance(value, bool) else value for name, value in values.items()}
