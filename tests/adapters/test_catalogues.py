"""The message catalogues: complete, without doubt, with the same placeholders, and no bare text in a template."""

import re
import string
import sys
from pathlib import Path

import pytest

from eisbach.adapters.catalogues import Catalogues
from eisbach.app.reason_texts import ADVICE, SENTENCES, TITLES
from eisbach.app.tell_refusal import tell
from eisbach.core.vocabulary.reasons import Reason, Refusal

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import catalogues  # noqa: E402  (scripts/ is no package)

FILES = sorted((ROOT / "eisbach" / "locale").glob("*/*.po"))
TEMPLATES = sorted((ROOT / "eisbach" / "portal" / "templates").rglob("*.html"))
WORDS_OF_NOBODY = {"Eisbach", "SHA-256", "%", "IBAN", "XRechnung", "kW", "MW", "Wh", "kWh", "mg", "kg"}
"""Words that are the same in all languages."""


def test_the_catalogues_are_complete_and_up_to_date(capsys):
    assert catalogues.main(["--check"]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_translation_is_in_doubt(path):
    assert "fuzzy" not in path.read_text()


def test_two_areas_never_translate_the_same_text_differently():
    known = {}
    for path in FILES:
        for message in catalogues.read_catalogue(path):
            assert known.setdefault((path.parent.name, message.id), message.string) == message.string, (path.name, message.id)


def fields(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_translations_have_the_same_placeholders(path):
    texts = {catalogues.first_of(message.id): message for message in catalogues.texts_of_code().get(path.stem, {}).values()}
    for message in catalogues.read_catalogue(path):
        source = texts[message.id].id
        for shown in (message.string,) if isinstance(message.string, str) else message.string:
            assert fields(shown) == fields(catalogues.first_of(source)), message.id


def test_every_reason_has_words():
    assert set(TITLES) == set(ADVICE) == set(Reason)
    german = Catalogues()
    for reason in Reason:
        for text in (TITLES[reason], ADVICE[reason], *SENTENCES.get(reason, ())):
            assert german.text("de", text) != text, f"{reason}: {text!r} is not translated"


def test_a_refusal_is_told_with_its_values():
    refusal = Refusal(
        Reason.OVER_BUDGET, "English", "Do", "time_limit", {"ceiling_micro_eur": 1_234_560_000, "budget_micro_eur": 5_000_000}
    )
    told = tell(Catalogues(), "de", refusal)
    assert "bis zu 1.234,56 EUR" in told.what
    assert told.source == "English. Do"
    assert tell(Catalogues(), "en", refusal).what == "English"


JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
ATTRIBUTE = re.compile(r'[\w-]+="[^"]*"')
TAG = re.compile(r"<!--.*?-->|<[^>]*>", re.DOTALL)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_templates_hold_no_bare_text(path):
    """What a person reads comes from a catalogue: between tags and in the attributes that are read aloud."""
    text = JINJA.sub("", path.read_text())
    for attribute in re.findall(r'(?:aria-label|title|placeholder|alt)="([^"]*)"', text):
        assert not re.search(r"[A-Za-z]{2}", attribute), attribute
    words = set(re.findall(r"[^\W\d_][\w-]+", TAG.sub(" ", ATTRIBUTE.sub(" ", text))))
    assert words <= WORDS_OF_NOBODY, words - WORDS_OF_NOBODY


@pytest.mark.parametrize(
    ("header", "language"),
    [("de", "de"), ("de-AT,en;q=0.8", "de"), ("fr,de;q=0.4,en;q=0.6", "en"), ("", "en"), ("de;q=0", "en"), ("*;q=x,,;", "en")],
)
def test_the_language_that_suits_best_is_chosen(header, language):
    assert Catalogues().choose(header) == language


def test_figures_are_written_as_the_language_writes_them():
    german, english = (lambda of: (of.money("de", 1_234_560_000), of.number("de", 1234.5, 1)))(Catalogues()), Catalogues()
    assert german == ("1.234,56 EUR", "1.234,5")
    assert english.money("en", 1_234_560_417) == "1,234.560417 EUR"
    assert english.country("de", "DE") == "Deutschland"
    assert english.instant("de", 1_780_000_000_000).endswith("UTC")
