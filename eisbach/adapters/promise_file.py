"""The register of public promises as a file: shipped with the program, replaced by the operator's copy in the home."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from eisbach.adapters.home_files import HomeFileError, known_keys, read_toml, table_of
from eisbach.app.promise_register import Comparison, Evidence, PromiseFacts
from eisbach.app.promise_wordings import WordingFacts

SHIPPED = Path(__file__).parent / "promises.toml"
PROMISE_KEYS = ("id", "metric", "title", "title_de", "counted_from", "due", "wording")
WORDING_KEYS = ("date", "speaker", "quote", "language", "source", "url", "evidence", "comparison", "value", "unit")
TEXT_MAX = 500


def read_promise_file(path: Path) -> tuple[PromiseFacts, ...]:
    """Return what a register says: the file's, or the shipped one's where there is none; raise HomeFileError."""
    if not path.exists():
        path = SHIPPED
    raw = read_toml(path)
    known_keys(path, raw, ("promise",), "")
    promises = raw.get("promise", [])
    if not isinstance(promises, list):
        raise HomeFileError(f"{path}: promises are written as [[promise]]")
    facts = tuple(_promise(path, table_of(path, promise, "[[promise]]")) for promise in promises)
    names = [promise.promise for promise in facts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise HomeFileError(f"{path}: two promises have the id {twice!r}; ids are unique")
    return facts


def _promise(path: Path, promise: Mapping[str, Any]) -> PromiseFacts:
    known_keys(path, promise, PROMISE_KEYS, "[[promise]] ")
    name = _text(path, promise, "id", "[[promise]]")
    where = f"promise {name!r}"
    if not all(letter.isascii() and (letter.isalnum() or letter == "-") for letter in name):
        raise HomeFileError(f"{path}: {where}: an id is made of letters, digits and '-'")
    wordings = promise.get("wording")
    if not isinstance(wordings, list) or not wordings:
        raise HomeFileError(f"{path}: {where} has no [[promise.wording]]; a promise is what somebody said")
    shared = {
        "metric": _text(path, promise, "metric", where),
        "title": _text(path, promise, "title", where),
        "title_de": _text(path, promise, "title_de", where),
        "counted_from": _date(path, promise, "counted_from", where, is_optional=True),
        "due": _date(path, promise, "due", where, is_optional=True),
    }
    if shared["metric"] == "months_to_operation" and not shared["counted_from"]:
        raise HomeFileError(f"{path}: {where}: counted_from is missing; months are counted from a date such as 2025-06-13")
    facts = [_wording(path, table_of(path, one, "[[promise.wording]]"), where, shared) for one in wordings]
    return PromiseFacts(promise=name, wordings=tuple(facts))


def _wording(path: Path, wording: Mapping[str, Any], where: str, shared: Mapping[str, str]) -> WordingFacts:
    known_keys(path, wording, WORDING_KEYS, f"{where}: ")
    evidence = _one_of(path, wording, "evidence", where, [one.value for one in Evidence])
    url = _text(path, wording, "url", where, is_optional=True)
    if not url and evidence != Evidence.UNVERIFIED.value:
        raise HomeFileError(f"{path}: {where}: url is empty, but evidence is {evidence!r}; without a page it is 'unverified'")
    if url and not url.startswith(("https://", "http://")):
        raise HomeFileError(f"{path}: {where}: url is {url!r}, but must begin with https:// or http://")
    return WordingFacts(
        **shared,
        quote=_text(path, wording, "quote", where),
        language=_text(path, wording, "language", where),
        date=_date(path, wording, "date", where),
        speaker=_text(path, wording, "speaker", where),
        source=_text(path, wording, "source", where),
        url=url,
        evidence=evidence,
        comparison=_one_of(path, wording, "comparison", where, [one.value for one in Comparison]),
        value_milli=_thousandths(path, wording, where),
        unit=_text(path, wording, "unit", where),
    )


def _text(path: Path, table: Mapping[str, Any], key: str, where: str, *, is_optional: bool = False) -> str:
    value = table.get(key, "" if is_optional else None)
    if isinstance(value, str) and value.isprintable() and len(value) <= TEXT_MAX and (value.strip() or is_optional):
        return value
    raise HomeFileError(f"{path}: {where}: {key} is {value!r}, but must be a text of 1 to {TEXT_MAX} printable characters")


def _date(path: Path, table: Mapping[str, Any], key: str, where: str, *, is_optional: bool = False) -> str:
    text = _text(path, table, key, where, is_optional=is_optional)
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise HomeFileError(f"{path}: {where}: {key} is {text!r}, but must be a date such as 2025-11-04") from None


def _one_of(path: Path, table: Mapping[str, Any], key: str, where: str, known: list[str]) -> str:
    value = table.get(key)
    if value not in known:
        raise HomeFileError(f"{path}: {where}: {key} is {value!r}, but must be one of {', '.join(known)}")
    return str(value)


def _thousandths(path: Path, wording: Mapping[str, Any], where: str) -> int:
    text = wording.get("value")
    try:
        if not isinstance(text, str):
            raise InvalidOperation
        exact = Decimal(text) * 1000
        if exact != exact.to_integral_value() or not 0 <= exact < 10**15:
            raise InvalidOperation
    except InvalidOperation:
        what = 'must be a number in quotes such as "0.5", at most three digits behind the point'
        raise HomeFileError(f"{path}: {where}: value is {text!r}, but {what}") from None
    return int(exact)
