"""Site files that come with the package, `eisbach/sites/*.toml`: factories to look at, to plan with, to run simulated."""

from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "sites"
_HEADERS = ("[site]", "[[site]]")


def shipped_sites() -> Sequence[str]:
    """Return their names, sorted."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def site_file_of(said: str) -> Path:
    """Return the site file that a name of a shipped one, or else a path, stands for. Whether it is there is not asked."""
    return FOLDER / f"{said}.toml" if said in shipped_sites() else Path(said)


def as_simulated(text: str) -> str:
    """Return a site file with `simulated = true` at each of its sites; what a site says itself about it stays."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.strip().partition("#")[0].strip() in _HEADERS:
            lines += [line, "simulated = true # by `eisbach up --simulated`: nothing is executed here"]
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"
