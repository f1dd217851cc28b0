"""What a bug leaves behind: one line for the person, a report in a file."""

import os
import platform
import sys
import tempfile
import traceback

from eisbach import __version__


def write_report(error: Exception) -> str:
    """Write the traceback into a file of its own and return the line that says so. Arguments are named, never values."""
    summary = f"{type(error).__name__}: {error}"
    options = [argument.partition("=")[0] for argument in sys.argv[1:] if argument.startswith("-")]
    text = "\n".join(
        [
            f"Eisbach {__version__}, Python {platform.python_version()}, {platform.platform()}",
            f"options: {' '.join(options)}",
            "",
            "".join(traceback.format_exception(error)),
        ]
    )
    try:
        descriptor, path = tempfile.mkstemp(prefix="eisbach-report-", suffix=".txt")  # mode 0600
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as cause:
        return f"This is a bug in Eisbach ({summary}); no report could be written ({cause.strerror})"
    return f"This is a bug in Eisbach ({summary}). The report is in {path}; please send it with what you did"
