"""Writes the profile file: which factory, as whom, in which project."""

import json
import os
import tempfile
from pathlib import Path

from eisbach.cli.errors import CliError
from eisbach.settings import PROFILE_FORMAT, Profile

HEADING = "# What the Eisbach command line remembers. It is as good as a password: keep it to yourself (mode 0600).\n"


def write_profile(file: Path, profile: Profile) -> None:
    """Write the profile, mode 0600, whole or not at all."""
    lines = [HEADING, f"format = {_quoted(PROFILE_FORMAT)}\n"]
    for name, value in profile._asdict().items():
        if value is not None:
            lines.append(f"{name} = {_quoted(str(value))}\n")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(prefix=".profile.", dir=file.parent)  # mode 0600
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.writelines(lines)
        os.replace(draft, file)
    except OSError as error:
        raise CliError(
            f"The profile {file} cannot be written: {error.strerror}",
            "Set XDG_CONFIG_HOME to a folder you may write, or use EISBACH_URL and EISBACH_TOKEN",
        ) from error


def _quoted(text: str) -> str:
    """Return a TOML basic string; JSON's escapes are a subset of TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
