"""Static files: our style sheet and modules, and plotly's JavaScript from the installed package (which is never imported)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

PLOTLY = "plotly.min.js"
_OURS = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png"}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file that everybody may have, its media type, and a version that changes with its content."""

    path: Path
    media_type: str
    version: str


@lru_cache(maxsize=1)
def static_files() -> Mapping[str, StaticFile]:
    """Return all static files by name: only what stands here is ever opened."""
    found = {path.name: path for path in sorted(_OURS.iterdir()) if path.suffix in _TYPES}
    plotly = find_spec("plotly")
    if plotly is not None and plotly.submodule_search_locations:
        script = Path(next(iter(plotly.submodule_search_locations)), "package_data", PLOTLY)
        if script.is_file():
            found[PLOTLY] = script
    return {name: StaticFile(path, _TYPES[path.suffix], _version(path)) for name, path in found.items()}


def _version(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(65536):
            digest.update(piece)
    return digest.hexdigest()[:12]
