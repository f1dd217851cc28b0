"""`resources` of a task file: which shapes of node a job accepts, best first, and whether as spot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eisbach.core.jobs.amounts import (
    ACCELERATOR,
    CORES,
    MEMORY,
    Accelerator,
    counted_accelerator,
    is_plain_name,
    named_accelerator,
    parse_accelerator,
    parse_count,
    parse_cpu_milli,
    parse_memory_mib,
)
from eisbach.core.jobs.findings import Findings, shown
from eisbach.core.jobs.request import NodeShape
from eisbach.core.jobs.task_keys import check_resource_keys
from eisbach.core.vocabulary.reasons import Reason

CPU_MILLI_MAX = 4_096_000
MEMORY_MIB_MAX = 64 * 1024 * 1024
GPUS_MAX = 1024
ALTERNATIVES_MAX = 32
"""Alternatives in one list, and shapes of one job: every one of them is tried in every admission cycle."""


@dataclass(frozen=True, slots=True)
class ResourceRequest:
    """The shapes a job accepts, best first; `is_spot` is None where the task file leaves the class open."""

    shapes: tuple[NodeShape, ...]
    is_spot: bool | None = None


@dataclass(frozen=True, slots=True)
class ResourceDefaults:
    """What a node offers where the task file does not say: cores, and memory for each core."""

    cpu_milli: int
    memory_per_core_mib: int


def parse_resources(raw: object, defaults: ResourceDefaults, findings: Findings) -> ResourceRequest:
    """Return the shapes of `resources`; where something is wrong, add it to `findings` and return any value."""
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping):
        findings.wrong("resources", raw, "a mapping such as {accelerators: H100:8, cpus: 16}")
        return ResourceRequest(())
    check_resource_keys(raw, "resources", findings)
    sections = _alternatives(raw, defaults, findings)
    shapes = tuple(dict.fromkeys(shape for section in sections for shape in section.shapes()))
    if len(shapes) > ALTERNATIVES_MAX:
        findings.invalid(
            "resources", f"`resources` gives {len(shapes)} alternatives, but at most {ALTERNATIVES_MAX} are tried"
        )
    if len(sections) == 1:
        return ResourceRequest(shapes, sections[0].is_spot())
    wishes = {section.is_spot() for section in sections}
    if len(wishes) > 1:
        findings.refuse(
            Reason.NOT_SUPPORTED,
            "resources.use_spot",
            "`resources.use_spot` differs between alternatives, but a job has one capacity class",
            "Write `class: spot` or `class: on-demand` at the top level and remove `use_spot`",
        )
    return ResourceRequest(shapes, wishes.pop() if len(wishes) == 1 else None)


def _alternatives(raw: Mapping[object, object], defaults: ResourceDefaults, findings: Findings) -> "Sequence[_Section]":
    if "any_of" not in raw and "ordered" not in raw:
        return [_Section(raw, {}, defaults, findings)]
    base = {key: value for key, value in raw.items() if key not in ("any_of", "ordered")}
    given = [key for key in ("any_of", "ordered") if raw.get(key) is not None]
    if len(given) == 2:
        findings.invalid(
            "resources",
            "`resources` has both `any_of` and `ordered`",
            "Keep one; here both are tried from the first on",
        )
        return []
    if not given:
        return [_Section(base, {}, defaults, findings)]
    where, entries = f"resources.{given[0]}", raw[given[0]]
    if not isinstance(entries, list | tuple) or not entries:
        findings.wrong(where, entries, "a list of alternatives, each with keys of `resources`")
        return []
    if len(entries) > ALTERNATIVES_MAX:
        findings.invalid(where, f"`{where}` has {len(entries)} alternatives, but at most {ALTERNATIVES_MAX} are tried")
        return []
    sections = []
    for index, entry in enumerate(entries):
        place = f"{where}[{index}]"
        if not isinstance(entry, Mapping) or not entry:
            findings.wrong(place, entry, "a mapping with keys of `resources`, such as {accelerators: H100:8}")
        elif "any_of" in entry or "ordered" in entry:
            findings.invalid(place, f"`{place}` holds alternatives of its own", "Write all of them in one list")
        else:
            check_resource_keys(entry, place, findings)
            sections.append(_Section({**base, **entry}, dict.fromkeys(entry, place), defaults, findings))
    return sections


class _Section:
    """The keys of `resources`, or of one alternative laid over them; `places` says where keys were given if elsewhere."""

    __slots__ = ("_defaults", "_fields", "_findings", "_places")

    def __init__(
        self,
        fields: Mapping[object, object],
        places: Mapping[object, str],
        defaults: ResourceDefaults,
        findings: Findings,
    ) -> None:
        self._fields = fields
        self._places = places
        self._defaults = defaults
        self._findings = findings

    def shapes(self) -> list[NodeShape]:
        cpu_milli = self._cpu_milli()
        memory_mib = self._memory_mib(cpu_milli)
        flavour = self._flavour()
        return [
            NodeShape(
                cpu_milli=cpu_milli, memory_mib=memory_mib, gpus=one.gpus, flavour=one.name, gpu_milli=one.gpu_milli, mig=one.mig
            )
            for one in self._of_flavour(flavour)
        ]

    def is_spot(self) -> bool | None:
        value = self._fields.get("use_spot")
        if value is None or isinstance(value, bool):
            return value
        self._findings.wrong(self._where("use_spot"), value, "true or false")
        return None

    def _where(self, key: str) -> str:
        return f"{self._places.get(key, 'resources')}.{key}"

    def _bounded(self, key: str, amount: int | None, least: int, most: int, must: str, bounds: str) -> int:
        if amount is None:
            self._findings.wrong(self._where(key), self._fields[key], must)
            return least
        if not least <= amount <= most:
            self._findings.wrong(self._where(key), self._fields[key], bounds)
            return least
        return amount

    def _cpu_milli(self) -> int:
        value = self._fields.get("cpus")
        if value is None:
            return self._defaults.cpu_milli
        return self._bounded("cpus", parse_cpu_milli(value), 1, CPU_MILLI_MAX, CORES, "between 0.001 and 4096 cores")

    def _memory_mib(self, cpu_milli: int) -> int:
        value = self._fields.get("memory")
        if value is None:
            return max(1, -(-cpu_milli * self._defaults.memory_per_core_mib // 1000))
        amount = parse_memory_mib(value, cpu_milli)
        return self._bounded("memory", amount, 1, MEMORY_MIB_MAX, MEMORY, "between 1 MiB and 64 TiB")

    def _flavour(self) -> str | None:
        value = self._fields.get("flavour")
        if value is None:
            return None
        if isinstance(value, str) and is_plain_name(value):
            return value
        self._findings.wrong(
            self._where("flavour"), value, "the name of a flavour such as cpu or b200.8 (see `eisbach offers`)"
        )
        return None

    def _of_flavour(self, flavour: str | None) -> list[Accelerator]:
        """Return the accelerators by the name of the flavour that has them, where one is asked for."""
        accelerators = self._accelerators()
        if flavour is None:
            return accelerators or [Accelerator(None, 0)]
        if not accelerators:
            # whoever names a flavour and no number means the whole node: b200.8 has 8 GPUs, cpu has none
            count = parse_count(flavour.rpartition(".")[2]) or 0
            return [Accelerator(flavour, min(count, GPUS_MAX))]
        for accelerator in accelerators:
            if accelerator.name not in (None, flavour.upper().partition(".")[0]):
                self._findings.invalid(
                    self._where("flavour"),
                    f"`{self._where('flavour')}` is {shown(flavour)}, but `{self._accelerator_key()}` asks for {shown(accelerator.name)}",
                    "Keep one of the two",
                )
        return [accelerator._replace(name=flavour) for accelerator in accelerators]

    def _accelerator_key(self) -> str:
        return "gpus" if self._fields.get("accelerators") is None else "accelerators"

    def _accelerators(self) -> list[Accelerator]:
        key = self._accelerator_key()
        value = self._fields.get(key)
        if value is None:
            return []
        where = self._where(key)
        if key == "accelerators" and self._fields.get("gpus") is not None:
            self._findings.invalid(self._where("gpus"), "`gpus` and `accelerators` mean the same", "Keep one of them")
        if key == "gpus" and type(value) in (int, float):
            return self._checked(where, value, counted_accelerator(None, value))
        if isinstance(value, str):
            return self._one(where, value)
        if isinstance(value, Mapping):
            return self._of_mapping(where, value)
        if isinstance(value, set | frozenset):
            value = sorted(value, key=str)  # a set has no order of its own, the same file must give the same job
        if not isinstance(value, list | tuple) or len(value) > ALTERNATIVES_MAX:
            self._findings.wrong(where, value, f"{ACCELERATOR}, or a list of at most {ALTERNATIVES_MAX} of these")
            return []
        found: list[Accelerator] = []
        for index, entry in enumerate(value):
            place = f"{where}[{index}]"
            if isinstance(entry, str):
                found += self._one(place, entry)
            elif isinstance(entry, Mapping) and entry:
                found += self._of_mapping(place, entry)
            else:
                self._findings.wrong(place, entry, ACCELERATOR)
        return list(dict.fromkeys(found))

    def _of_mapping(self, where: str, value: Mapping[object, object]) -> list[Accelerator]:
        """Read {H100: 8}, and {H100:8, A100:8}: without a space after the colon YAML makes that two keys without values."""
        found: list[Accelerator] = []
        for name, count in value.items():
            if self._findings.is_full:
                break
            if not isinstance(name, str):
                self._findings.wrong(where, value, ACCELERATOR)
            elif count is None:
                found += self._one(where, name)
            else:
                found += self._checked(where, f"{name[:40]}: {shown(count)}", named_accelerator(name, count))
        return found

    def _one(self, where: str, text: str) -> list[Accelerator]:
        return self._checked(where, text, parse_accelerator(text))

    def _checked(self, where: str, written: object, accelerator: Accelerator | None) -> list[Accelerator]:
        if accelerator is None:
            self._findings.wrong(where, written, ACCELERATOR)
            return []
        if not 1 <= accelerator.gpus <= GPUS_MAX:
            self._findings.wrong(where, written, f"between 1 and {GPUS_MAX} GPUs per node; leave the key out for none")
            return []
        return [accelerator]
