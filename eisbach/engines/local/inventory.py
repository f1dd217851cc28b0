"""What this machine has: cores, memory, NVIDIA GPUs."""

import os
from dataclasses import dataclass
from pathlib import Path

import pynvml

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU: index as CUDA counts with CUDA_DEVICE_ORDER=PCI_BUS_ID, product name, memory, and its own id."""

    index: int
    name: str
    memory_mib: int
    uuid: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """What work may use: thousandths of a core, MiB of memory, GPUs."""

    cpu_milli: int
    memory_mib: int
    gpus: tuple[Gpu, ...]

    @property
    def flavour(self) -> str:
        """Return `cpu`, or the accelerator with its count, such as `h200.1`."""
        return f"{accelerator_of(self.gpus[0].name)}.{len(self.gpus)}" if self.gpus else "cpu"


def detect(cgroup_root: Path = Path("/sys/fs/cgroup")) -> Inventory:
    """Return what this process may use of the machine: its affinity, its cgroup's quota, what NVML finds."""
    cores = len(os.sched_getaffinity(0)) * 1000
    quota = _cpu_quota_milli(cgroup_root)
    memory = min(_memory_mib(), _memory_limit_mib(cgroup_root))
    return Inventory(min(cores, quota) if quota else cores, memory, detect_gpus())


def detect_gpus() -> tuple[Gpu, ...]:
    """Return the GPUs that NVML knows; none where there is no driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        return tuple(_gpu(index) for index in range(pynvml.nvmlDeviceGetCount()))
    finally:
        pynvml.nvmlShutdown()


def accelerator_of(product: str) -> str:
    """Return the accelerator's short name of an NVIDIA product name: `NVIDIA H200` is h200, RTX cards keep rtx."""
    words = [word for word in product.lower().replace("-", " ").split() if word not in _FILLER]
    if not words:
        return "gpu"
    if words[0] in ("rtx", "gtx", "quadro", "titan") and len(words) > 1:
        return "".join(word for word in words[:3] if word.isalnum())
    return "".join(character for character in words[0] if character.isalnum())


_FILLER = frozenset({"nvidia", "geforce", "tesla", "graphics", "device", "gpu", "blackwell", "server", "edition"})


def _gpu(index: int) -> Gpu:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    name, uuid = pynvml.nvmlDeviceGetName(handle), pynvml.nvmlDeviceGetUUID(handle)
    return Gpu(index, _text(name), int(pynvml.nvmlDeviceGetMemoryInfo(handle).total) // MIB, _text(uuid))


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _memory_mib() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 1024


def _memory_limit_mib(root: Path) -> int:
    """Return the smallest memory limit of this process's cgroups, v2 or v1; very large where there is none."""
    limits = [2**40]
    for path in _own_cgroups(root, "memory", ("memory.max", "memory.limit_in_bytes")):
        text = path.read_text().strip()
        if text.isdigit():
            limits.append(int(text) // MIB)
    return min(limits)


def _cpu_quota_milli(root: Path) -> int:
    """Return the smallest CPU quota of this process's cgroups in thousandths of a core; 0 where there is none."""
    quotas: list[int] = []
    for path in _own_cgroups(root, "cpu", ("cpu.max", "cpu.cfs_quota_us")):
        words = path.read_text().split()
        period = words[1] if len(words) > 1 else _period(path)
        if words and words[0].isdigit() and period.isdigit() and int(period):
            quotas.append(int(words[0]) * 1000 // int(period))
    return max(1, min(quotas)) if quotas else 0


def _period(path: Path) -> str:
    file = path.with_name("cpu.cfs_period_us")
    return file.read_text().strip() if file.exists() else "0"


def _own_cgroups(root: Path, controller: str, names: tuple[str, ...]) -> list[Path]:
    """Return the limit files of this process's cgroup and its ancestors, as far as they can be seen."""
    found: list[Path] = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        base = root / controller if controllers else root
        place = base / path.lstrip("/")
        for folder in [place, *place.parents]:
            if base == folder or base in folder.parents:
                found += [folder / name for name in names if (folder / name).is_file()]
    return found
