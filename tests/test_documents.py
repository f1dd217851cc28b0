"""Documents that explain the code name modules that exist."""

import pathlib
import re

import pytest

from eisbach.app import exit_catalogue

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "docs" / "ARCHITECTURE.md", *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
PLANNED = {"twin/world.py"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_modules_that_a_document_names_are_there(document):
    named = set(re.findall(r"`(?:eisbach/)?([\w/]+/\w+\.py|wiring\.py|settings\.py)`", document.read_text(encoding="utf-8")))
    missing = [name for name in named - PLANNED if not (ROOT / "eisbach" / name).exists() and not (ROOT / name).exists()]
    assert not missing


def test_links_between_documents_lead_somewhere():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    links = [(page, target) for page in pages for target in re.findall(r"\]\(([\w./-]+)", page.read_text(encoding="utf-8"))]
    assert links
    missing = [f"{page.name}: {link}" for page, link in links if not link.startswith("http") and not (page.parent / link).exists()]
    assert not missing


def test_decisions_are_numbered_without_gaps():
    numbers = [int(path.name[:4]) for path in DOCUMENTS[1:]]
    assert numbers == list(range(1, len(numbers) + 1))


def test_decisions_that_the_code_cites_are_there():
    written = {path.name[:4] for path in DOCUMENTS[1:]}
    for path in sorted((ROOT / "eisbach").rglob("*.py")):
        cited = set(re.findall(r"docs/decisions/(\d{4})", path.read_text(encoding="utf-8")))
        assert cited <= written, f"{path.relative_to(ROOT)} cites {sorted(cited - written)}"


def test_the_document_about_leaving_names_every_kind_table_and_file():
    """What it says of each kind is what the catalogue says; every file of a package is explained, also inside it."""
    text = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| (.+) \|$", text, re.MULTILINE))
    expected = {kind: after.name.lower() for kind, after in exit_catalogue.EXPORTED.items()}
    expected |= exit_catalogue.LEFT_OUT | exit_catalogue.TABLES_LEFT_OUT
    assert {name: rows.get(name) for name in expected} == expected
    readme = (ROOT / "eisbach" / "app" / "export_readme.md").read_text(encoding="utf-8")
    for name in ("manifest.json", "manifest.sig", "origin/key.txt", "events.jsonl", "texts.jsonl", "tables/", "jobs/", "archives/", "data/", "extracts/", "invoices/"):
        assert name in text
        assert name in readme
