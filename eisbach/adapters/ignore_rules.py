"""The patterns of .gitignore, .skyignore and .eisbachignore: which paths of a folder are left out."""

import re
from collections.abc import Iterable


class IgnoreRules:
    """Patterns in order; the last that matches decides, and `!` takes back. Source: gitignore(5)."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._rules = [rule for rule in map(_rule, lines) if rule is not None]

    def leave_out(self, path: str, is_folder: bool) -> bool:
        """Return whether a path (relative, with `/`) is left out; whoever walks does not enter a folder that is."""
        answer = False
        for pattern, takes_back, folders_only in self._rules:
            if (is_folder or not folders_only) and pattern.fullmatch(path):
                answer = not takes_back
        return answer


def _rule(line: str) -> tuple[re.Pattern[str], bool, bool] | None:
    """Return pattern, whether it takes back, whether it is of folders only; None for a comment or an empty line."""
    text = line.rstrip("\r\n")
    while text.endswith((" ", "\t")) and not text.endswith("\\ "):
        text = text[:-1]
    if not text or text.startswith("#"):
        return None
    takes_back = text.startswith("!")
    text = text.removeprefix("!") if takes_back else text.removeprefix("\\") if text[:2] in ("\\#", "\\!") else text
    folders_only = text.endswith("/")
    text = text.rstrip("/")
    if not text:
        return None
    anchored = "/" in text
    body = _translate(text.removeprefix("/").removeprefix("./"))
    try:
        pattern = re.compile(body if anchored else f"(?:.*/)?{body}", re.DOTALL)
    except re.error:  # such as [z-a], which git takes for a pattern that matches nothing
        return None
    return pattern, takes_back, folders_only


def _translate(glob: str) -> str:
    out, index = "", 0
    while index < len(glob):
        if glob.startswith("**/", index):
            out, index = f"{out}(?:[^/]+/)*", index + 3
        elif glob.startswith("**", index):
            out, index = f"{out}.*", index + 2
        elif glob[index] == "*":
            out, index = f"{out}[^/]*", index + 1
        elif glob[index] == "?":
            out, index = f"{out}[^/]", index + 1
        elif glob[index] == "[" and (end := glob.find("]", index + 2)) > 0:
            inside = glob[index + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            negated = inside[0] in "!^"
            out, index = f"{out}[{'^/' if negated else ''}{inside[negated:]}]", end + 1
        else:
            index += glob[index] == "\\" and index + 1 < len(glob)
            out, index = f"{out}{re.escape(glob[index])}", index + 1
    return out
