"""Where the measurements come from: the series that the package river carries, a CSV by its path, or a data set of the project."""

import json
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from score import Segment, read_segments
from unreadable import Unreadable

HERE = Path(__file__).resolve().parent
WATER_FLOW, AUTO = "water-flow", "auto"
MOUNTED = "EISBACH_DATA_"


@dataclass(frozen=True)
class Source:
    name: str
    path: Path
    segments: list[Segment]
    facts: dict[str, Any]
    """What is known about the data beyond the file: title, donor, licence, rule of the segments; empty for a CSV of your own."""

    @property
    def is_documented(self) -> bool:
        return bool(self.facts)

    def texts(self, language: str, own: dict[str, str]) -> dict[str, str]:
        """What the report says about the data, in one language."""
        if not self.facts:
            return {"title": self.path.name, **own}
        picked = {key: value[language] if isinstance(value, dict) else value for key, value in self.facts.items() if key != "undisturbed"}
        return {key: picked[key] for key in ("title", "source", "donor", "documented", "licence", "rule")}


def find_source(wish: str, segments: Path | None) -> Source:
    """`water-flow`, the name of a mounted data set, or a path to a CSV or to a folder with one.

    `auto` is the data set that the job has, or `water-flow` where it has none; of several it takes none.
    """
    mounted = {key.removeprefix(MOUNTED): value for key, value in os.environ.items() if key.startswith(MOUNTED)}
    if wish == AUTO and len(mounted) > 1:
        raise Unreadable(f"this job has several data sets: {', '.join(sorted(mounted))}", "Say which one to read: DATA=NAME")
    if wish == AUTO:
        wish = next(iter(mounted), WATER_FLOW)
    if wish == WATER_FLOW:
        return _water_flow()
    name = wish.upper().replace("-", "_")
    path = Path(mounted[name]) if name in mounted else Path(wish)
    if path.is_dir():
        path = _table_in(path)
    if not path.exists():
        known = f"; mounted data sets: {', '.join(sorted(mounted))}" if mounted else ""
        raise Unreadable(f"there is no file and no mounted data set {wish!r}{known}", f"Name a CSV, a data set, or {WATER_FLOW}")
    return Source(path.name, path, read_segments(segments) if segments else [], {})


def _table_in(folder: Path) -> Path:
    """The one CSV of a folder, or its one file: a data set may be named without an ending."""
    held = sorted(one for one in folder.rglob("*") if one.is_file())
    found = [one for one in held if one.suffix.lower() in (".csv", ".tsv", ".txt")] or held
    if len(found) != 1:
        listed = ", ".join(one.name for one in found[:5]) or "no file"
        raise Unreadable(f"{folder} holds {listed}", "Name one file: --data FOLDER/FILE.csv")
    return found[0]


def _water_flow() -> Source:
    facts = json.loads((HERE / "water_flow.json").read_text(encoding="utf-8"))
    found = find_spec("river")
    if found is None or not found.submodule_search_locations:
        raise Unreadable(
            "the package river, which carries this data, is not installed", "pip install 'eisbach[industry]', or bring a CSV of your own with --data FILE"
        )
    path = Path(found.submodule_search_locations[0]).parent / facts["package_file"]
    return Source(facts["name"], path, read_segments(HERE / "water_flow.json"), facts)
