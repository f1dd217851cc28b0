"""The commands that documents show exist, with the options that they are shown with."""

import itertools
import re
import shlex

import pytest

from eisbach.cli.commands import ENTRIES
from tests.faces.cli_tools import ROOT, run_cli

DOCUMENTS = ("README.md", *(f"docs/{name}.md" for name in (
    "operations", "audit-bundle", "task-file", "reasons", "customers", "operators", "auditors",
)))  # fmt: skip
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:eisbach|make) [^`\n]+)`")


def commands_in(document):
    """Every command that a document shows: lines of its code blocks, and what stands in backticks."""
    text = (ROOT / document).read_text(encoding="utf-8")
    lines = itertools.chain.from_iterable(block.splitlines() for block in FENCE.findall(text))
    shown = [line.strip() for line in lines] + INLINE.findall(FENCE.sub("", text))
    return [shlex.split(line, comments=True) for line in shown if line.startswith(("eisbach ", "make "))]


SHOWN = sorted({(document, tuple(words)) for document in DOCUMENTS for words in commands_in(document)})


@pytest.mark.parametrize(("document", "words"), [one for one in SHOWN if one[1][0] == "eisbach"])
def test_commands_shown_exist(document, words):
    words = words[: words.index("--")] if "--" in words else words
    if words[1].startswith("-"):
        assert words == ("eisbach", "--help")
        return
    paths = {entry.path for entry in ENTRIES}
    path = next((path for path in (" ".join(words[1 : 1 + n]) for n in (3, 2, 1)) if path in paths), None)
    assert path is not None, f"{document}: there is no command `{' '.join(words)}`"
    asked = run_cli(*path.split(), "--help")
    assert asked.code == 0
    for word in words:
        if word.startswith("-"):
            option = word.partition("=")[0]
            assert re.search(rf"{re.escape(option)}\b", asked.out), f"{document}: {path} has no option {option}"


@pytest.mark.parametrize(("document", "words"), [one for one in SHOWN if one[1][0] == "make"])
def test_targets_shown_exist(document, words):
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert words[1] in targets, f"{document}: there is no `make {words[1]}`"


def test_the_readme_shows_both_commands_and_a_first_job():
    shown = {words[:2] for document, words in SHOWN if document == "README.md"}
    wanted = {("make", "demo"), ("make", "test"), ("eisbach", "up"), ("eisbach", "run"), ("eisbach", "cost")}
    assert wanted <= shown


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    missing = [target for target in targets if target and not (ROOT / document).parent.joinpath(target).exists()]
    assert not missing
