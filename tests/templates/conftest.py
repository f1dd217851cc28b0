"""The programs of the industrial template as modules, for the tests that look inside them."""

import importlib
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import pytest

INDUSTRIAL = Path(str(files("eisbach") / "templates" / "predictive_maintenance"))


class Programs:
    """`programs.series` is the template's series.py; they import each other by their bare names, as in a job."""

    def __getattr__(self, name: str) -> ModuleType:
        return importlib.import_module(name)


@pytest.fixture(scope="module")
def programs() -> Iterator[Programs]:
    names = {path.stem for path in INDUSTRIAL.glob("*.py")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)  # the template's folder is what users get a copy of
        patch.syspath_prepend(str(INDUSTRIAL))
        yield Programs()
        for name in names & sys.modules.keys():
            del sys.modules[name]
