"""Site files that come with the package, `eisbach/sites/*.toml`: factories to look at, to plan with, to run simulated."""

from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "sites"
KEY = "simulated"
_HEADERS = ("[site]", "[[site]]")


def shipped_sites() -> Sequence[str]:
    """Return their names, sorted."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def site_file_of(said: str) -> Path:
    """Return the site file that a name of a shipped one, or else a path, stands for. Whether it is there is not asked."""
    return FOLDER / f"{said}.toml" if said in shipped_sites() else Path(said)


def as_simulated(text: str) -> str:
    """Return a site file with `simulated = true` at each of its sites, in the place of what a site said itself about it."""
    lines: list[str] = []
    is_in_site = False
    for line in text.splitlines():
        said = line.partition("#")[0].strip()
        if said.startswith("["):
            is_in_site = said in _HEADERS
        if is_in_site and said.partition("=")[0].strip().strip("\"'") == KEY:
            continue
        lines.append(line)
        if said in _HEADERS:
            lines.append(f"{KEY} = true # by `eisbach up --simulated`: nothing is executed here")
    return "\n".join(lines) + "\n"
