"""Starts the command line: `python -m eisbach` and the program `eisbach`."""

import gc
import sys

COLLECT_AFTER = 100_000
"""Objects made after which `eisbach twin` looks for cycles among them; Python's 700 has it look a hundred times while modules
are loaded, which leaves none."""


def main() -> None:
    """Run the command line and leave with its exit code."""
    is_twin = sys.argv[1:2] == ["twin"]
    if is_twin:
        gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])
        from eisbach import compiled
        from eisbach.settings import may_run_compiled

        if may_run_compiled():
            compiled.use()
    from eisbach.cli.main import main as run

    code = run()
    if is_twin:
        gc.freeze()  # all of it goes with the process: nobody looks through a whole world for cycles first
    sys.exit(code)


if __name__ == "__main__":
    main()
