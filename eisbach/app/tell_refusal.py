"""Reasons and refusals in a person's language: what happened, with which value, and what to do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from eisbach.app.finding_texts import refusal_sentence
from eisbach.app.reason_texts import ADVICE, SENTENCES, TITLES
from eisbach.app.why_texts import Capacity, Said
from eisbach.core.jobs.request import WHOLE
from eisbach.core.vocabulary.interval import minute_text
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.translator import N_, NN_, SOURCE_LANGUAGE, Translator

CORES, GPUS = NN_("{count} core", "{count} cores"), NN_("{count} GPU", "{count} GPUs")
BYTES = N_("bytes")
_TRANSLATED = frozenset({"must", "cause", "level"})
"""Names of values that are texts of the code themselves."""
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldRefusal:
    """A refusal in words. `source` is its English sentence where that says more than the translation, else empty."""

    reason: Reason
    title: str
    what: str
    do: str
    where: str
    source: str
    log_position: int | None

    @property
    def sentence(self) -> str:
        """Return what happened and what to do as one text."""
        what = self.what if self.what.endswith((".", "!", "?")) else f"{self.what}."
        return f"{what} {self.do}" if self.do else self.what


def title_of(translator: Translator, language: str, reason: Reason) -> str:
    """Return the short name of a reason."""
    return translator.text(language, TITLES.get(reason, reason.value))


def tell(translator: Translator, language: str, refusal: Refusal) -> ToldRefusal:
    """Return a refusal in a language.

    English is the source: its sentence is the refusal's own. Other languages build the sentence from the refusal's
    values where the reason has a pattern for them, and say what the reason means otherwise; the source stays at hand.
    """
    position = refusal.values.get("log_position")
    what, do, source = refusal.what, refusal.do, ""
    if language != SOURCE_LANGUAGE:
        pattern = _pattern(refusal)
        do = translator.text(language, ADVICE.get(refusal.reason, refusal.do))
        source = str(refusal)
        what = title_of(translator, language, refusal.reason)
        if pattern:
            what = fill(translator, language, translator.text(language, pattern), refusal.values)
        elif refusal.reason is Reason.RESIDENCY_FORBIDDEN:
            what = refusal_sentence(translator, language, refusal.values)
    return ToldRefusal(
        reason=refusal.reason,
        title=title_of(translator, language, refusal.reason),
        what=what,
        do=do,
        where=refusal.where,
        source=source,
        log_position=position if isinstance(position, int) else None,
    )


def fill(translator: Translator, language: str, pattern: str, values: Mapping[str, object]) -> str:
    """Return a pattern with its values, each written as its name says: `..._micro_eur` as money, `..._ms` as a duration."""
    return _PLACEHOLDER.sub(lambda match: _shown(translator, language, match[1], values[match[1]]), pattern)


def say(translator: Translator, language: str, said: Said) -> str:
    """Return a sentence about a job in a language."""
    if language == SOURCE_LANGUAGE:
        return str(said)
    return fill(translator, language, translator.text(language, said.pattern), said.values)


def capacity_words(translator: Translator, language: str, capacity: Capacity) -> str:
    """Return cores, memory and GPUs such as `0.5 cores, 2 GiB, 1 GPU`."""
    cores = translator.plural(language, *CORES, 1 if capacity.cpu_milli == 1000 else 2)
    parts = [cores.format(count=translator.number(language, capacity.cpu_milli / 1000, 3))]
    mib = capacity.memory_mib
    parts.append(f"{translator.number(language, mib / 1024, 1)} GiB" if mib >= 1024 else f"{translator.number(language, mib)} MiB")
    gpus = capacity.gpu_milli
    if gpus:
        parts.append(translator.plural(language, *GPUS, 1 if gpus == WHOLE else 2).format(count=translator.number(language, gpus / WHOLE, 3)))
    return ", ".join(parts)


def _pattern(refusal: Refusal) -> str:
    """Return the first sentence of the reason all of whose values the refusal has, or an empty text."""
    for pattern in SENTENCES.get(refusal.reason, ()):
        if all(name in refusal.values for name in _PLACEHOLDER.findall(pattern)):
            return pattern
    return ""


def _shown(translator: Translator, language: str, name: str, value: object) -> str:
    if isinstance(value, Capacity):
        return capacity_words(translator, language, value)
    if name in _TRANSLATED:
        return translator.text(language, str(value))
    if isinstance(value, bool) or not isinstance(value, int):
        return ", ".join(str(one) for one in value) if isinstance(value, list | tuple) else str(value)
    if name.endswith("_micro_eur"):
        return translator.money(language, value)
    if name.endswith("_at"):
        return minute_text(value)
    if name.endswith("_ms"):
        return f"{translator.number(language, value / 1000, 3)} s"
    if name.endswith("_mw"):
        kilo, unit = (1_000_000, "kW") if value >= 1_000_000 else (1000, "W")
        return f"{translator.number(language, value / kilo, 2)} {unit}"
    if name.endswith("_bytes"):
        return f"{translator.number(language, value)} {translator.text(language, BYTES)}"
    if name.endswith("_gpu_milli"):
        return f"{translator.number(language, value / 1000, 3)} GPUs"
    if name.endswith("_ppm"):
        return f"{translator.number(language, value / 10_000, 1)} %"
    if name.endswith("_mib"):
        return f"{translator.number(language, value)} MiB"
    return translator.number(language, value)
