"""Compiled modules: where `make fast` built some of exactly these sources, `eisbach twin` runs them (decision 15)."""

import importlib.util
import json
import os
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

PACKAGE = Path(__file__).resolve().parent
FOLDER = PACKAGE.parent / "build" / "compiled"
STAMP = "stamp.json"


def sources_digest(package: Path = PACKAGE) -> str:
    """Return the SHA-256 over every Python file of the package and the interpreter, in hex: what a build was made of."""
    digest = sha256(f"{sys.version}\0{sys.implementation.cache_tag}\0{os.uname().machine}".encode())
    root = str(package)
    for path in sorted(os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names if name.endswith(".py")):
        with open(path, "rb", buffering=0) as file:
            content = file.read()
        digest.update(f"\0{path[len(root) + 1 :]}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


class Compiled(NamedTuple):
    """A compiled module: its file, and what its source says of the types of its classes' attributes, class by class.

    mypyc keeps the classes of these types and forgets the rest (`int | None` becomes `type`), and msgspec reads state by them.
    """

    file: Path
    annotations: Mapping[str, Mapping[str, str]]


class CompiledFinder:
    """Finds the modules of a build before Python looks for their sources.

    Compiled modules import one another without asking a finder; so each time Python asks for any module, and after each that
    it loads from here, all that were loaded meanwhile get their annotations.
    """

    def __init__(self, modules: Mapping[str, Compiled]) -> None:
        self.modules = dict(modules)
        self._bare = dict(modules)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a compiled module is; None for any other one."""
        self.annotate()
        found = self.modules.get(name)
        if found is None:
            return None
        return importlib.util.spec_from_file_location(name, found.file, loader=_Loader(name, found.file, self))

    def annotate(self) -> None:
        """Give the classes of loaded modules the types of their sources."""
        for name, one in list(self._bare.items()):
            module = sys.modules.get(name)
            if module is not None and all(hasattr(module, of) for of in one.annotations):
                del self._bare[name]
                for of, annotations in one.annotations.items():
                    getattr(module, of).__annotations__ = dict(annotations)


class _Loader(ExtensionFileLoader):
    def __init__(self, name: str, file: Path, finder: CompiledFinder) -> None:
        super().__init__(name, str(file))
        self._finder = finder

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        self._finder.annotate()


def built(folder: Path = FOLDER, package: Path = PACKAGE) -> dict[str, Compiled]:
    """Return the modules of a build by their names; none where nothing was built, or of other sources than these."""
    try:
        stamp = json.loads((folder / STAMP).read_bytes())
    except (OSError, ValueError):
        return {}
    if stamp["digest"] != sources_digest(package):
        return {}
    return {name: Compiled(folder / one["file"], one["annotations"]) for name, one in stamp["modules"].items()}


def use(folder: Path = FOLDER) -> bool:
    """From here on import compiled modules where there are any of these sources; return whether there are."""
    modules = built(folder)
    if not modules or any(name in sys.modules for name in modules):  # half of them would be of the other kind
        return False
    sys.meta_path.insert(0, CompiledFinder(modules))
    return True


def is_used() -> bool:
    """Return whether this process imports compiled modules."""
    return any(isinstance(finder, CompiledFinder) for finder in sys.meta_path)
