"""Documents that explain the code name modules that exist."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "docs" / "ARCHITECTURE.md", *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
PLANNED = {"twin/world.py"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_modules_that_a_document_names_are_there(document):
    named = set(re.findall(r"`(?:eisbach/)?([\w/]+/\w+\.py|wiring\.py|settings\.py)`", document.read_text(encoding="utf-8")))
    missing = [name for name in named - PLANNED if not (ROOT / "eisbach" / name).exists() and not (ROOT / name).exists()]
    assert not missing


def test_decisions_are_numbered_without_gaps():
    numbers = [int(path.name[:4]) for path in DOCUMENTS[1:]]
    assert numbers == list(range(1, len(numbers) + 1))


def test_decisions_that_the_code_cites_are_there():
    written = {path.name[:4] for path in DOCUMENTS[1:]}
    for path in sorted((ROOT / "eisbach").rglob("*.py")):
        cited = set(re.findall(r"docs/decisions/(\d{4})", path.read_text(encoding="utf-8")))
        assert cited <= written, f"{path.relative_to(ROOT)} cites {sorted(cited - written)}"
