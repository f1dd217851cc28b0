"""Where the command line starts: finds the command, runs it, and turns what went wrong into words and an exit code."""

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from eisbach.cli.commands import ENTRIES, GROUPS, SECTIONS, Entry
from eisbach.cli.errors import CliError
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.simulated_sites import heard_of
from eisbach.cli.terminal import say

ABOUT = "Eisbach: book, use and pay for the capacity of an AI factory."
_OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
EPILOG = "Every command has --help. Exit codes and all options: docs/cli.md."


class LazyGroup(TyperGroup):
    """A group that knows its commands by name and help line, and imports one when it is asked for."""

    def __init__(self, name: str, prefix: str, help: str, epilog: str | None = None) -> None:
        super().__init__(name=name, help=help, epilog=epilog, rich_markup_mode=None, no_args_is_help=True)
        self._prefix = prefix
        self.commands = dict.fromkeys(self._names())  # type: ignore[assignment]  # names, for suggestions

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of the table."""
        return self._names()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command or a subgroup, imported now; None where there is none of this name."""
        path = self._prefix + cmd_name
        if path in GROUPS:
            return LazyGroup(cmd_name, f"{path} ", GROUPS[path])
        entry = next((entry for entry in ENTRIES if entry.path == path), None)
        return None if entry is None else load(entry)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command and what is left for it; `quote hold` is one beside `quote`, which is a command itself."""
        path = " ".join([self._prefix + args[0], *args[1:2]])
        entry = next((entry for entry in ENTRIES if entry.path == path), None)
        if entry is not None and len(args) > 1 and args[0] in self._names() and self._prefix + args[0] not in GROUPS:
            return path, load(entry), args[2:]
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list in sections, from the table alone."""
        width = max(len(entry.path) for entry in self._entries()) - len(self._prefix)
        for section in SECTIONS:
            mine = [entry for entry in section.entries if entry in self._entries()]
            if mine:
                with formatter.section(section.title if not self._prefix else "Commands"):
                    formatter.write_dl([(entry.path.removeprefix(self._prefix).ljust(width), entry.help) for entry in mine])

    def _entries(self) -> list[Entry]:
        return [entry for entry in ENTRIES if entry.path.startswith(self._prefix)]

    def _names(self) -> list[str]:
        return list(dict.fromkeys(entry.path.removeprefix(self._prefix).split(" ")[0] for entry in self._entries()))


def load(entry: Entry) -> Any:
    """Return the command of an entry: its module is imported here and nowhere else."""
    module, _, function = entry.target.partition(":")
    callback = getattr(importlib.import_module(f"eisbach.cli.{module}"), function)
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(
        entry.path.rpartition(" ")[2], cls=getattr(callback, "command_class", None), no_args_is_help=False
    )(callback)
    return typer.main.get_command(app)


def root() -> LazyGroup:
    """Return the whole command line."""
    return LazyGroup("eisbach", "", ABOUT, EPILOG)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    _fill_closed_streams()
    heard_of("")
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        result = root().main(args=list(given), prog_name="eisbach", standalone_mode=False)
        sys.stdout.flush()
        return int(result) if isinstance(result, int) else ExitCode.OK
    except CliError as error:
        for line in error.lines():
            say(line)
        return error.code
    except KeyboardInterrupt:
        say("")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        _drop_stdout()
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001  the last place: whatever is left is told in one line, with a report
        if isinstance(error, OSError) and error.errno in _OUTPUT_ERRORS and error.filename is None:
            _drop_stdout()
            say(f"error: The output cannot be written: {error.strerror}")
            return ExitCode.FAILED
        if isinstance(error, UnicodeEncodeError) and not all(_is_text(word) for word in given):
            say("error: The command line holds text that is not UTF-8\n  Write it as UTF-8, in a UTF-8 locale such as C.UTF-8")
            return ExitCode.USAGE
        return _told(error, given)


def _fill_closed_streams() -> None:
    """Open what the caller closed (`>&-`) onto nothing, so that no connection gets the number of an output."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(opened)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  for as long as the process lives


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _told(error: Exception, given: Sequence[str]) -> int:
    if isinstance(error, typer.Abort):
        say("Stopped; nothing was changed.")
        return ExitCode.INTERRUPTED
    below = next((word for word in given if _is_below_zero(word)), None)
    if below is not None and getattr(error, "option_name", "") == below[:2]:
        say(f"error: {below} is below 0, and no number here may be\n  Give one from 0 on")
        return ExitCode.USAGE
    show = getattr(error, "show", None)
    if show is not None and hasattr(error, "exit_code"):  # typer's usage errors
        show()
        return ExitCode.USAGE
    from eisbach.cli.bug_report import write_report

    say(f"error: {write_report(error)}")
    return ExitCode.FAILED


def _is_below_zero(word: str) -> bool:
    """Return whether a word is a number below 0, which would be taken for an option."""
    try:
        return word.startswith("-") and float(word) <= 0
    except ValueError:
        return False


def _drop_stdout() -> None:
    """Let the interpreter flush into nothing at its end: whoever read our output went away."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
