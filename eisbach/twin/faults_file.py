"""Faults as a TOML file: `[[node]]`, `[[hall]]` and `[[event]]` tables, read to the end, every mistake said at once (docs/twin.md)."""

from pathlib import Path

from eisbach.adapters.file_table import FileTable, Mistakes
from eisbach.adapters.home_files import HomeFileError, read_toml
from eisbach.core.capacity.targets import Targets
from eisbach.core.jobs.amounts import DURATION, parse_duration_ms
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS
from eisbach.twin.demand_file import duration_of, one_of
from eisbach.twin.faults import Faults, HallFaults, Happening, NodeFaults, Scripted
from eisbach.twin.trace_file import SPAN_DAYS_MAX

TABLES = ("node", "hall", "event")
NODE_KEYS = ("flavour", "mtbf", "repair")
HALL_KEYS = ("hall", "mtbf", "outage")
EVENT_KEYS = ("at", "do", "for", "nodes", "hall", "row", "rack", "pool")
HAPPENINGS = {one.value: one for one in Happening}


def read_faults(path: Path) -> Faults:
    """Return what a faults file says; raise HomeFileError with all that is wrong in it."""
    mistakes = Mistakes(path)
    raw = read_toml(path)
    FileTable(mistakes, raw, "the file:").known(TABLES)
    said = {name: _tables(mistakes, raw.get(name, []), f"[[{name}]]") for name in TABLES}
    faults = Faults(
        nodes=tuple(_nodes(at) for at in said["node"]),
        halls=tuple(_halls(at) for at in said["hall"]),
        events=tuple(_event(at) for at in said["event"]),
    )
    if mistakes.found:
        raise HomeFileError("\n".join(mistakes.found))
    if not any(said.values()):
        raise HomeFileError(f"{path}: nothing goes wrong here; write [[node]], [[hall]] or [[event]] tables")
    return faults


def _tables(mistakes: Mistakes, said: object, where: str) -> list[FileTable]:
    if not isinstance(said, list):
        mistakes.note(f"{where} is no list of tables; write it with two brackets")
        return []
    return [FileTable(mistakes, one, f"{where} number {nth + 1}:") for nth, one in enumerate(said)]


def _nodes(at: FileTable) -> NodeFaults:
    at.known(NODE_KEYS)
    return NodeFaults(
        flavour=at.optional_text("flavour"), mtbf_ms=_needed(at, "mtbf", DAY_MS), repair_ms=duration_of(at, "repair", 8 * HOUR_MS)
    )


def _halls(at: FileTable) -> HallFaults:
    at.known(HALL_KEYS)
    return HallFaults(
        hall=at.optional_text("hall"), mtbf_ms=_needed(at, "mtbf", DAY_MS), outage_ms=duration_of(at, "outage", 2 * HOUR_MS)
    )


def _event(at: FileTable) -> Scripted:
    at.known(EVENT_KEYS)
    names = at.said.get("nodes", [])
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        at.wrong(f"nodes is {names!r}, but must be a list of names, such as ['b200-0001', 'b200-00*']")
        names = ["?"]
    targets = Targets(names=tuple(names), **{level: at.optional_text(level) for level in ("hall", "row", "rack", "pool")})
    if targets.is_empty:
        at.wrong("says no node; name nodes, a hall, a row, a rack or a pool")
    return Scripted(
        at_ms=_since_begin(at),
        happening=one_of(at, "do", HAPPENINGS, Happening.LOSE.value),
        targets=targets,
        for_ms=_length(at) if "for" in at else None,
    )


def _needed(at: FileTable, key: str, stand_in_ms: int) -> int:
    if key not in at:
        at.wrong(f"{key} is missing: the mean time between two failures of one, such as '180d'")
    return duration_of(at, key, stand_in_ms)


def _since_begin(at: FileTable) -> int:
    found = parse_duration_ms(at.said.get("at"))
    if found is None or found < 0:
        at.wrong(f"at is {at.said.get('at')!r}, but must be the time since the beginning: {DURATION}")
        return 0
    if found >= SPAN_DAYS_MAX * DAY_MS:
        at.wrong(f"at is {at.said['at']!r}, but no run is longer than {SPAN_DAYS_MAX:,} days")
    return found


def _length(at: FileTable) -> int:
    found = duration_of(at, "for", HOUR_MS)
    if found > SPAN_DAYS_MAX * DAY_MS:
        at.wrong(f"for is {at.said['for']!r}, but no run is longer than {SPAN_DAYS_MAX:,} days; leave it out where it stays")
    return found
