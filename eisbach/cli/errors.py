"""What went wrong, told to a person: what happened, with which value, what to do next."""

from collections.abc import Mapping, Sequence
from typing import Any

from eisbach.cli.exit_codes import ExitCode, code_of_problem
from eisbach.cli.terminal import clean

SHOWN_MAX = 20
"""How many findings of one refusal are printed."""


class CliError(Exception):
    """Ends a command: the message goes to stderr, the code to the shell. `reason` is the API's, where it was one."""

    def __init__(self, what: str, do: str = "", code: int = ExitCode.FAILED, *, reason: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.do = do
        self.code = code
        self.reason = reason
        self.details: Sequence[str] = ()

    def lines(self) -> list[str]:
        """Return the text for the terminal, line by line."""
        lines = [f"error: {clean(self.what, keep_newlines=True)}"]
        lines += [f"  - {clean(detail)}" for detail in self.details[:SHOWN_MAX]]
        if len(self.details) > SHOWN_MAX:
            lines.append(f"  ... and {len(self.details) - SHOWN_MAX} more")
        if self.do:
            lines.append(f"  {clean(self.do)}")
        return lines


def usage_error(what: str, do: str = "") -> CliError:
    """Return the error of a command line that is wrong in itself."""
    return CliError(what, do, ExitCode.USAGE)


def problem_error(status: int, problem: Mapping[str, Any]) -> CliError:
    """Return the error that a problem document says (RFC 9457; ours adds `reason` and `errors`, see docs/routes.md)."""
    reason = str(problem.get("reason") or "") or None
    findings = [str(f.get("detail") or "") for f in problem.get("errors") or () if isinstance(f, Mapping)]
    what = str(problem.get("detail") or problem.get("title") or f"The factory answered with HTTP status {status}")
    code = code_of_problem(status, reason)
    if len(findings) > 1:
        error = CliError(f"The factory found {len(findings)} things wrong", "", code, reason=reason)
        error.details = [_capital(finding) for finding in findings]
        return error
    return CliError(_capital(what), _logged(problem), code, reason=reason)


def _logged(problem: Mapping[str, Any]) -> str:
    """Return where in the log a refusal stands, if it does."""
    for found in problem.get("errors") or ():
        position = (found.get("values") or {}).get("log_position") if isinstance(found, Mapping) else None
        if position is not None:
            return f"This refusal stands in the factory's log at position {position}."
    return ""


def refusals_error(refusals: Sequence[Any], where: str) -> CliError:
    """Return the error for refusals found before anything was sent (`core.vocabulary.reasons.Refusal`)."""
    codes = {code_of_problem(400, refusal.reason.value) for refusal in refusals}
    code = codes.pop() if len(codes) == 1 else ExitCode.USAGE
    if len(refusals) == 1:
        front = f"{where}: " if where else ""
        return CliError(f"{front}{refusals[0].what}", refusals[0].do, code, reason=refusals[0].reason.value)
    error = CliError(f"{where} has {len(refusals)} mistakes", code=code)
    error.details = [str(refusal) for refusal in refusals]
    return error


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
