"""Wordings of public promises: as the register names them, and as the state keeps them."""

import msgspec

from eisbach.app.events_promises import PromiseRecorded, PromiseRestated
from eisbach.app.state_promises import Wording


class WordingFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One public sentence about one promise; `value_milli` is in thousandths of `unit`, dates are ISO 8601 or empty."""

    metric: str
    title: str
    title_de: str
    counted_from: str
    due: str
    quote: str
    language: str
    date: str
    speaker: str
    source: str
    url: str
    evidence: str
    comparison: str
    value_milli: int
    unit: str


WORDING_FIELDS = WordingFacts.__struct_fields__


def as_tuple(wording: WordingFacts | PromiseRecorded | PromiseRestated) -> Wording:
    """Return a wording as the state keeps it."""
    return tuple(str(getattr(wording, name)) for name in WORDING_FIELDS)


def as_facts(wording: Wording) -> WordingFacts:
    """Return a wording that the state keeps."""
    named = dict(zip(WORDING_FIELDS, wording, strict=True))
    return WordingFacts(**{**named, "value_milli": int(named["value_milli"])})  # type: ignore[arg-type]


def key_of(wording: WordingFacts | PromiseRecorded | PromiseRestated) -> str:
    """Return what makes two wordings the same sentence: when and where it stood."""
    return f"{wording.date} {wording.source}"
