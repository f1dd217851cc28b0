"""Text for a terminal: nothing a tenant wrote can move the cursor, colour the screen or hide what stands there."""

import re
import sys

_ESCAPES = (
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor (ECMA-48 section 5.4)
    r"|\x1b[\]PX^_].*?(?:\x1b\\|\x07|$)"  # OSC, DCS, SOS, PM, APC up to their end
    r"|\x1b[ -/]*[0-~]?"  # all shorter ones
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
"""Compiled when there is something to clean: most text holds none of it."""
_CONTROLS = dict.fromkeys(
    [*range(0x20), *range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029]
)
_LINE = {key: value for key, value in _CONTROLS.items() if key != ord("\t")}
_LINES = {key: value for key, value in _LINE.items() if key != ord("\n")}


def clean(text: str, *, keep_newlines: bool = False) -> str:
    """Return a text without escape sequences, control and direction characters; tabs stay.

    Of a line that was overwritten with carriage returns (a progress bar) the last state stays.
    """
    if text.isprintable():
        return text
    text = re.sub(_ESCAPES, "", text, flags=re.DOTALL)
    if keep_newlines:
        return "\n".join(_last_state(line) for line in text.split("\n")).translate(_LINES)
    return _last_state(text.rstrip("\n")).translate(_LINE)


def is_interactive() -> bool:
    """Return whether a person sits in front of this command and can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def say(text: str) -> None:
    """Tell the person something that is not the command's result: to stderr, so that stdout stays clean."""
    print(text, file=sys.stderr, flush=True)


def _last_state(line: str) -> str:
    if "\r" not in line:
        return line
    return next((part for part in reversed(line.split("\r")) if part), "")
