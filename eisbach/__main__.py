"""Starts the command line: `python -m eisbach` and the program `eisbach`."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    from eisbach.cli.main import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
