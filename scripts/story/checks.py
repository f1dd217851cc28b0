"""What each step of the story checked, and the table at its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class StepFailed(Exception):
    """A step cannot go on; the message says what was expected and what was there instead."""


@dataclass(slots=True)
class Check:
    """One thing that was checked, with the figures that were seen."""

    step: str
    what: str
    figures: str
    is_ok: bool


@dataclass(slots=True)
class Record:
    """All checks so far; a step that raises StepFailed becomes a failed check."""

    checks: list[Check] = field(default_factory=list)
    current: str = ""

    def check(self, what: str, is_ok: bool, figures: str = "") -> None:
        """Note a check; a failed one does not end its step."""
        self.checks.append(Check(self.current, what, figures, is_ok))
        print(f"  {'ok' if is_ok else 'FAILED'}: {what}{f' ({figures})' if figures else ''}", flush=True)

    def require(self, what: str, is_ok: bool, figures: str = "") -> None:
        """Note a check that the rest of its step depends on; raise StepFailed where it fails."""
        self.check(what, is_ok, figures)
        if not is_ok:
            raise StepFailed("")

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Play a step: what fails in it is noted, and the story goes on as far as it can."""
        self.current = name
        try:
            yield
        except StepFailed as error:
            if str(error):
                self.check("the step was played to its end", False, str(error))

    @property
    def is_ok(self) -> bool:
        """Return whether something was checked and nothing failed."""
        return bool(self.checks) and all(check.is_ok for check in self.checks)

    def table(self) -> str:
        """Return the summary: a line for each check."""
        rows = [("STEP", "CHECKED", "", "FIGURES")]
        last = ""
        for one in self.checks:
            rows.append(("" if one.step == last else one.step, one.what, "ok" if one.is_ok else "FAILED", one.figures))
            last = one.step
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = ("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows)
        return "\n".join(line.rstrip() for line in lines)
