"""Compile modules into a folder; run by scripts/compile.py, which says what and where.

usage: python scripts/run_mypyc.py FOLDER MODULE.py ...
"""

import shutil
import sys
from pathlib import Path

from constructors import written_out
from mypyc.build import mypycify
from setuptools import Distribution

NOT_FOR_OTHERS = ["-fvisibility=hidden", "-fno-semantic-interposition", "-fno-plt"]
"""Nobody else calls what is compiled: so its functions call one another directly, small ones become part of others, and Python's own
are called without a step between."""

PYTHON_CLASSES = Path(__file__).resolve().with_name("python_classes.h")


def main(folder: str, *modules: str) -> None:
    """Compile all of them as one program, so that they call one another directly; what was generated on the way is removed."""
    generated = Path(folder) / "c"
    options = ["--config-file=pyproject.toml"]
    for module in modules:
        source = Path(module).read_text(encoding="utf-8")
        if (written := written_out(source)) != source:
            instead = generated / "sources" / module
            instead.parent.mkdir(parents=True, exist_ok=True)
            instead.write_text(written, encoding="utf-8")
            options += ["--shadow-file", module, str(instead)]
    extensions = mypycify([*options, *modules], opt_level="2", debug_level="0", target_dir=str(generated))
    for extension in extensions:  # a list each: mypyc gives all of them the same one
        extension.extra_compile_args = [*extension.extra_compile_args, *NOT_FOR_OTHERS, "-include", str(PYTHON_CLASSES)]
    command = Distribution({"name": "compiled", "ext_modules": extensions}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = folder, str(generated / "objects")
    command.ensure_finalized()
    command.run()
    shutil.rmtree(generated)


if __name__ == "__main__":
    main(*sys.argv[1:])
