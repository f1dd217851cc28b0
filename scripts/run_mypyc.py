"""Compile modules into a folder; run by scripts/compile.py, which says what and where.

usage: python scripts/run_mypyc.py FOLDER MODULE.py ...
"""

import shutil
import sys
from pathlib import Path

from mypyc.build import mypycify
from setuptools import Distribution

NOT_FOR_OTHERS = ["-fvisibility=hidden", "-fno-semantic-interposition"]
"""Nobody else calls what is compiled: so its functions call one another directly, and small ones become part of others."""


def main(folder: str, *modules: str) -> None:
    """Compile all of them as one program, so that they call one another directly; what was generated on the way is removed."""
    generated = Path(folder) / "c"
    extensions = mypycify(
        ["--config-file=pyproject.toml", *modules], opt_level="2", debug_level="0", target_dir=str(generated)
    )
    for extension in extensions:
        extension.extra_compile_args += NOT_FOR_OTHERS
    command = Distribution({"name": "compiled", "ext_modules": extensions}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = folder, str(generated / "objects")
    command.ensure_finalized()
    command.run()
    shutil.rmtree(generated)


if __name__ == "__main__":
    main(*sys.argv[1:])
