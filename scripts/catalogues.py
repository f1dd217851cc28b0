"""Brings the message catalogues up to date with the texts of the code, and says what is still to be translated.

python scripts/catalogues.py           write eisbach/locale/<language>/<area>.po anew; translations are kept
python scripts/catalogues.py --check   write nothing; exit code 1 where a catalogue is not up to date or not complete

A text belongs to the area of the file it stands in: `portal/pages/AREA.py` and `portal/templates/AREA/`. Everything else of the
portal is the area `portal`; `app/reason_texts.py` is `reasons`, `app/finding_texts.py` is `policy`.
"""

import functools
import sys
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "eisbach"
KEYWORDS = {"_": None, "N_": None, "_n": (1, 2), "NN_": (1, 2)}
OWN_AREAS = {
    "app/reason_texts.py": "reasons",
    "app/tell_refusal.py": "reasons",
    "app/why_texts.py": "reasons",
    "app/finding_texts.py": "policy",
    "portal/pages/energy_plots.py": "energy",
}
Texts = dict[str, Message]


def main(arguments: list[str]) -> int:
    """Write or check all catalogues; return the exit code."""
    wanted = texts_of_code()
    findings: list[str] = []
    for folder in sorted(path for path in (PACKAGE / "locale").iterdir() if path.is_dir()):
        known: Texts = {first_of(message.id): message for path in sorted(folder.glob("*.po")) for message in read_catalogue(path) if message.string}
        for area, texts in sorted(wanted.items()):
            path = folder / f"{area}.po"
            written = written_catalogue(folder.name, area, texts, known)
            if not path.exists() or path.read_bytes() != written:
                findings += [f"{path.relative_to(ROOT)}: is not up to date: run scripts/catalogues.py"]
                if "--check" not in arguments:
                    path.write_bytes(written)
            findings += [f"{path.relative_to(ROOT)}: to be translated: {text!r}" for text in texts if text not in known]
        stale = {path.stem for path in folder.glob("*.po")} - set(wanted)
        findings += [f"{(folder / area).relative_to(ROOT)}.po: no text of the code belongs to it" for area in sorted(stale)]
    for finding in findings:
        print(finding)
    return 1 if findings and "--check" in arguments else 0


@functools.cache
def texts_of_code() -> dict[str, Texts]:
    """Return the texts of the code by area, each by its message id (of a plural its singular)."""
    found: dict[str, Texts] = {}
    sources = [*PACKAGE.rglob("*.py"), *(PACKAGE / "portal" / "templates").rglob("*.html")]
    for path in sorted(sources):
        inside = path.relative_to(PACKAGE)
        if inside.parts[0] == "templates":
            continue
        for text in texts_of(path):
            found.setdefault(area_of(inside), {})[first_of(text)] = Message(text)
    return found


def texts_of(path: Path) -> Iterator[str | tuple[str, ...]]:
    """Yield the marked texts of one file."""
    method = "python" if path.suffix == ".py" else "jinja2.ext:babel_extract"
    with path.open("rb") as file:
        for _, text, _, _ in extract(method, file, keywords=KEYWORDS):
            yield text


def area_of(inside: Path) -> str:
    """Return the area that a file of the package belongs to."""
    parts = inside.parts
    if str(inside) in OWN_AREAS:
        return OWN_AREAS[str(inside)]
    if parts[:2] == ("portal", "pages"):
        return inside.stem
    if parts[:2] == ("portal", "templates") and len(parts) > 3:
        return parts[2]
    return "portal"


def first_of(text: str | Sequence[str]) -> str:
    """Return a text, or the singular of a plural."""
    return text if isinstance(text, str) else text[0]


def read_catalogue(path: Path) -> Iterator[Message]:
    """Yield the messages of a catalogue, without its header; those of a plural under their singular."""
    for message in read_po(BytesIO(path.read_bytes())):
        if message.id:
            yield Message(first_of(message.id), message.string if any(message.string or "") else "", flags=message.flags)


def written_catalogue(language: str, area: str, texts: Texts, known: Texts) -> bytes:
    """Return a catalogue as it is written: sorted, without places (they change with every line)."""
    made = Catalog(locale=language, project="Eisbach", domain=area, fuzzy=False, header_comment=f"# Eisbach: {area}")
    made.creation_date = made.revision_date = None  # type: ignore[assignment]
    for text, message in sorted(texts.items()):
        string = (known[text].string if text in known else "") or ""
        if isinstance(message.id, str):
            made.add(message.id, first_of(string))
        else:
            made.add(message.id, ("", "") if isinstance(string, str) else string)
    written = BytesIO()
    write_po(written, made, no_location=True, width=110, omit_header=True)
    header = f'# Eisbach: {area} in {language}. Written by scripts/catalogues.py; the translations are yours.\nmsgid ""\nmsgstr ""\n'
    header += '"Content-Type: text/plain; charset=utf-8\\n"\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'
    return header.encode() + written.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
