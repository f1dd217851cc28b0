"""Rewrite the map of modules in docs/ARCHITECTURE.md from the first docstring line of each module (`make map`)."""

import ast
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "eisbach"
DOCUMENT = ROOT / "docs" / "ARCHITECTURE.md"
BEGIN = "<!-- map: begin (written by `make map`; do not edit by hand) -->"
END = "<!-- map: end -->"
HEAD = ["| module | what it is for |", "|---|---|"]


def modules() -> list[pathlib.Path]:
    """Every module of the package, without `templates/`, which is package data."""
    return sorted(path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] != "templates")


def rows() -> list[str]:
    """One table row for each module: its path inside the package and the first line of its docstring."""
    return [f"| `{path.relative_to(PACKAGE)}` | {purpose(path)} |" for path in modules()]


def purpose(path: pathlib.Path) -> str:
    """The first line of a module's docstring, fit for a table cell."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].strip().replace("|", "\\|")


def rows_written(text: str) -> list[str]:
    """The table rows that stand between the two markers now."""
    block = text.partition(BEGIN)[2].partition(END)[0]
    return [line for line in block.splitlines() if line.strip() and line not in HEAD]


def with_map(text: str) -> str:
    """The document with a fresh map between its markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{DOCUMENT}: the markers of the map are missing:\n{BEGIN}\n{END}")
    return "\n".join([before + begin, *HEAD, *rows(), end + after])


if __name__ == "__main__":
    DOCUMENT.write_text(with_map(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
