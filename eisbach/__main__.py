"""Starts the command line: `python -m eisbach` and the program `eisbach`."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    if sys.argv[1:2] == ["twin"]:
        from eisbach import compiled
        from eisbach.settings import may_run_compiled

        if may_run_compiled():
            compiled.use()
    from eisbach.cli.main import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
