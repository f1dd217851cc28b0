"""What is imported when it is first needed: a replay starts the sooner, and a server has loaded it before it answers."""

import ast
import subprocess
import sys

from eisbach.app import when_needed

SERVER = """
import sys
import eisbach.api.server, eisbach.wiring
from eisbach.adapters.clocks import SystemClock
from eisbach.adapters.identifiers import SystemIds
from eisbach.app.writer import Writer
from eisbach.stores.memory import MemoryStore
Writer(MemoryStore(), SystemClock(), SystemIds(), None, print)
print(*sys.modules)
"""


def imported_late():
    """The modules that functions of when_needed.py import."""
    with open(when_needed.__file__, encoding="utf-8") as source:
        functions = [one for one in ast.parse(source.read()).body if isinstance(one, ast.FunctionDef)]
    lines = [line for function in functions for line in ast.walk(function) if isinstance(line, ast.ImportFrom)]
    return {f"{line.module}.{line.names[0].name}" if line.module == "eisbach.app" else line.module for line in lines}


def test_a_server_has_loaded_all_of_it_before_its_first_event():
    ran = subprocess.run([sys.executable, "-c", SERVER], capture_output=True, text=True, check=True)
    late = imported_late()
    assert {"eisbach.app.merge_rows", "eisbach.app.snapshot", "eisbach.app.due_moves", "eisbach.core.log.head"} == late
    assert late - set(ran.stdout.split()) == set()
