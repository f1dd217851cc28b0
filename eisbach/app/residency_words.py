"""A residency in sentences, with what it does not prove."""

from collections.abc import Iterator

from eisbach.app.check_place import finding_text
from eisbach.app.set_rules import rule_text
from eisbach.core.policy.residency import Residency
from eisbach.core.policy.rules import Place

LIMITS_OF_PROOF = (
    "That a site is where the log says is the operator's signed word; nothing here measures a location.",
    "That these are all events that matter is the operator's signed word too (the last event). Whoever holds the whole log can check it.",
    "What a job sent away by itself over a network is not seen.",
    "The place of a backup or an exported log is what its maker declared.",
    "What ran at a simulated site ran on no machine there: it shows the rules at work, not a place.",
)

_LABELS = {True: ", simulated", False: ""}


def words(found: Residency) -> list[str]:
    """Return the statement, a sentence each."""
    return list(_sentences(found))


def place_text(place: Place) -> str:
    """Return a place with what rules can speak about."""
    return (
        f"{place.site} in {place.country} (operator {place.operator}, seat in {place.operator_country}, "
        f"ultimate parent in {place.parent_country}{_LABELS[place.is_simulated]})"
    )


def _sentences(found: Residency) -> Iterator[str]:
    yield f"Job {found.job} of project {found.project}, from log position {found.from_seq} to {found.until_seq}."
    if not found.rules:
        yield "No rule limits where it may be."
    for scoped in found.rules:
        yield f"Rule of the {scoped.scope.value} {scoped.name} (log position {scoped.position}): {rule_text(scoped.rule)}."
    if not found.stays:
        yield "It has not been placed anywhere yet."
    for stay in found.stays:
        state = "is" if stay.ended_ms is None else "was"
        rules = ", ".join(map(str, stay.rules)) or "none"
        yield f"Attempt {stay.attempt} {state} at {place_text(stay.place)}, on {', '.join(stay.nodes)}; rules at log positions: {rules}."
        for finding in stay.findings:
            yield f"  Against a rule: {finding_text(finding)}."
    for one in found.kept:
        since = f"since log position {one.since_seq}" if one.since_seq >= 0 else "from the start"
        yield f"A {one.what.replace('_', ' ')} is kept at {place_text(one.place)}, {since}."
        for finding in one.findings:
            yield f"  Against a rule: {finding_text(finding)}."
    if found.violations:
        yield f"Violations were found at the log positions {', '.join(map(str, found.violations))}."
    elif found.is_clean:
        yield f"No violation between log positions {found.from_seq} and {found.until_seq}."
