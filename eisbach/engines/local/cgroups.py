"""Memory and process limits and shares of the cores by cgroup, version 1 or 2, below the cgroup of the agent; absent where not writable."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_MIB = 1024 * 1024
_PAUSES_S = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128)
_LEAF = "eisbach-agent"


@dataclass(frozen=True, slots=True)
class CgroupParents:
    """Folders below which groups can be made: version 1 per controller, or version 2 (`unified`); None where not.

    `leaf` is where the agent itself is with version 2: a group with processes has no controllers for its children.
    """

    memory: Path | None = None
    pids: Path | None = None
    cpu: Path | None = None
    unified: Path | None = None
    leaf: Path | None = None

    def come_back(self) -> None:
        """Move the calling process out of a task's group, to where the agent and its supervisors are."""
        for home in (self.memory, self.pids, self.cpu, self.leaf or self.unified):
            if home is not None:
                _write(home / "cgroup.procs", "0")

    def remove_empty(self, prefix: str, living: set[str]) -> None:
        """Remove the groups of this engine that a crash left, not those of `living` attempts."""
        for root in self.roots:
            for folder in root.glob(prefix + "*"):
                attempt_id, _, _ = folder.name.removeprefix(prefix).rpartition("-")
                if attempt_id not in living:
                    with suppress(OSError):  # it has processes
                        folder.rmdir()

    @property
    def roots(self) -> list[Path]:
        """Return the folders in which each task gets a group."""
        return [root for root in (self.unified, self.memory, self.pids, self.cpu) if root is not None]

    @property
    def limits_memory(self) -> bool:
        """Return whether a task's memory can be limited and measured."""
        return self.memory is not None or self.unified is not None

    @property
    def limits_processes(self) -> bool:
        """Return whether the number of a task's processes can be limited."""
        return self.pids is not None or self.unified is not None


def detect(proc: Path = Path("/proc/self")) -> CgroupParents:
    """Return where this process may make groups; it tries, since permissions alone do not tell."""
    own = _own_groups((proc / "cgroup").read_text())
    mounts = _mounts((proc / "mountinfo").read_text())
    if "" in mounts and "memory" not in mounts:
        return _usable_unified(_folder(mounts[""], own.get("", "/")))
    memory, pids, cpu = (
        _folder(mounts[name], own.get(name, "/")) if name in mounts else None for name in ("memory", "pids", "cpu")
    )
    return CgroupParents(
        memory=memory if _can_make(memory, "memory.limit_in_bytes") else None,
        pids=pids if _can_make(pids, "pids.max") else None,
        cpu=cpu if _can_make(cpu, "cpu.shares") else None,
    )


def _own_groups(text: str) -> dict[str, str]:
    """Return the path per controller ("" is version 2) from /proc/self/cgroup."""
    own = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            own[controller] = path
    return own


def _mounts(text: str) -> dict[str, tuple[str, str]]:
    """Return (root, mount point) per controller ("" is version 2) from /proc/self/mountinfo."""
    mounts: dict[str, tuple[str, str]] = {}
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        root, point = left.split(" ")[3:5]
        if kind == "cgroup2":
            mounts.setdefault("", (root, point))
        elif kind == "cgroup":
            for controller in options.split(","):
                mounts.setdefault(controller, (root, point))
    return mounts


def _folder(mount: tuple[str, str], own: str) -> Path | None:
    """Return the folder of a group under its mount; inside a container the mount's root is a part of the path."""
    root, point = mount
    relative = own.removeprefix(root.rstrip("/")) if root != "/" else own
    for candidate in (Path(point) / relative.lstrip("/"), Path(point)):
        if candidate.is_dir():
            return candidate
    return None


def _can_make(parent: Path | None, control: str) -> bool:
    if parent is None:
        return False
    probe = parent / f"eisbach-probe-{os.getpid()}"
    try:
        probe.mkdir()
    except OSError:
        return False
    try:
        return os.access(probe / control, os.W_OK)
    finally:
        with suppress(OSError):  # an empty group that stays harms nobody
            probe.rmdir()


def _usable_unified(own: Path | None) -> CgroupParents:
    """Return a version 2 folder whose children have memory and pids, the agent moved to a leaf, or nothing.

    An agent whose predecessor made the leaf is started by a server outside of it, or inherits the leaf.
    """
    if own is None:
        return CgroupParents()
    if own.name == _LEAF:
        own = own.parent
    leaf = own / _LEAF
    try:
        leaf.mkdir(exist_ok=True)
        _write(leaf / "cgroup.procs", "0")
        _write(own / "cgroup.subtree_control", "+memory +pids")
        _write_if_there(own / "cgroup.subtree_control", "+cpu")
    except OSError:
        return CgroupParents()  # other processes are in the group, or it is not ours to divide
    return CgroupParents(unified=own, leaf=leaf) if _can_make(own, "memory.max") else CgroupParents()


class TaskGroup:
    """The groups of one task: made before it, joined by it, removed after the last of its processes."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self.folders = folders

    @classmethod
    def make(
        cls, parents: CgroupParents, name: str, memory_mib: int, cpu_milli: int, processes_max: int
    ) -> "TaskGroup":
        """Create the groups with their limits; what an earlier try left there is reused.

        The cores are shared as they were booked when they do not suffice for all; idle ones are nobody's loss.
        """
        folders = []
        limit = str(memory_mib * _MIB)
        if parents.unified is not None:
            folder = parents.unified / name
            folder.mkdir(exist_ok=True)
            folders.append(folder)
            _write(folder / "memory.max", limit)
            _write_if_there(folder / "memory.swap.max", "0")
            _write(folder / "pids.max", str(processes_max))
            _write_if_there(folder / "cpu.weight", str(min(max(cpu_milli // 10, 1), 10_000)))  # 100 is one core
        if parents.memory is not None:
            folder = parents.memory / name
            folder.mkdir(exist_ok=True)
            folders.append(folder)
            _write(folder / "memory.limit_in_bytes", limit)
            _write_if_there(folder / "memory.memsw.limit_in_bytes", limit)
        if parents.pids is not None:
            folder = parents.pids / name
            folder.mkdir(exist_ok=True)
            folders.append(folder)
            _write(folder / "pids.max", str(processes_max))
        if parents.cpu is not None:
            folder = parents.cpu / name
            folder.mkdir(exist_ok=True)
            folders.append(folder)
            _write_if_there(folder / "cpu.shares", str(min(max(cpu_milli * 1024 // 1000, 2), 262_144)))
        return cls(tuple(folders))

    def join(self) -> None:
        """Move the calling process into the groups."""
        for folder in self.folders:
            _write(folder / "cgroup.procs", "0")

    def processes(self) -> set[int]:
        """Return the pids in the groups."""
        pids: set[int] = set()
        for folder in self.folders:
            with suppress(OSError):  # the group is gone: nobody is in it
                pids.update(int(line) for line in (folder / "cgroup.procs").read_text().split())
        return pids

    def forbid_forks(self) -> None:
        """Let nothing in the groups start another process, so that killing them comes to an end."""
        for folder in self.folders:
            _write_if_there(folder / "pids.max", "0")
            _write_if_there(folder / "cgroup.kill", "1")

    def out_of_memory_kills(self) -> int:
        """Return how many processes the kernel killed for memory."""
        for folder in self.folders:
            for control in ("memory.events", "memory.oom_control"):
                for line in _lines(folder / control):
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        return 0

    def memory_peak_mib(self) -> int:
        """Return the largest amount of memory that was charged, 0 where the kernel does not say."""
        for folder in self.folders:
            for control in ("memory.peak", "memory.max_usage_in_bytes"):
                for line in _lines(folder / control):
                    return -(-int(line) // _MIB)
        return 0

    def remove(self) -> None:
        """Remove the groups; newer kernels take a process out only a moment after it was collected."""
        for folder in self.folders:
            for pause_s in _PAUSES_S:
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(pause_s)  # still busy; at last the next agent removes it
                else:
                    break


def _write(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _write_if_there(path: Path, text: str) -> None:
    with suppress(OSError):  # older kernels lack it, or swap is not accounted
        _write(path, text)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
