"""Fail when a test was skipped for a reason that is not expected: check_skips.py build/tests.xml .ci/allowed-skips."""

import pathlib
import re
import sys
from xml.etree import ElementTree


def skips_of(report: pathlib.Path) -> list[tuple[str, str]]:
    """Name and reason of each skipped or expectedly failing test in pytest's JUnit report."""
    found = []
    for case in ElementTree.parse(report).iter("testcase"):
        for skipped in case.iter("skipped"):
            name = "::".join(filter(None, (case.get("classname"), case.get("name"))))
            message = skipped.get("message") or ""
            # a module skipped as a whole carries its reason in the text: ('path', line, 'Skipped: reason')
            reason = (skipped.text or "") if message == "collection skipped" else message
            found.append((name, reason))
    return found


def patterns_of(allowed: pathlib.Path) -> list[re.Pattern[str]]:
    """One regular expression a line; what follows ` # ` says why the skip is right."""
    lines = [line.partition(" # ") for line in allowed.read_text(encoding="utf-8").splitlines() if line.strip()]
    unexplained = [pattern for pattern, _, why in lines if not pattern.startswith("#") and not why.strip()]
    if unexplained:
        raise SystemExit(f"{allowed}: say why after ` # `: {unexplained}")
    return [re.compile(pattern.strip()) for pattern, _, _ in lines if not pattern.startswith("#")]


def main(report: str, allowed: str) -> int:
    """1 when a skip is not on the list, else 0; silent when all is well."""
    patterns = patterns_of(pathlib.Path(allowed))
    unexpected = [
        (name, why) for name, why in skips_of(pathlib.Path(report)) if not any(p.search(why) for p in patterns)
    ]
    for name, why in unexpected:
        print(f"skipped without being expected in {allowed}: {name}: {why}")
    return 1 if unexpected else 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
