"""Where work and data may be: rules shown and set, what violates them, and where a job was, with the proof."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from eisbach.app import prove_residency, set_rules
from eisbach.app.check_place import owner_name
from eisbach.app.read_policy import violation
from eisbach.app.visible import organisations_of, projects_of
from eisbach.core.jobs.findings import Findings
from eisbach.core.jobs.placement import LIMITS, PlacementRule
from eisbach.core.jobs.placement_request import parse_placement
from eisbach.core.vocabulary.countries import collapse
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.portal.access import FACTORY, JOB, ORGANISATION, OWN, PROJECT, page
from eisbach.portal.call import Call
from eisbach.portal.forms import Refused
from eisbach.portal.navigation import NavEntry
from eisbach.ports.translator import N_

PAGE_ROWS = 100
SCOPE_NAMES = {
    "organisation": N_("Organisation"),
    "project": N_("Project"),
    "data_set": N_("Data set"),
    "job": N_("This job"),
}
KEPT_NAMES = {
    "attempt": N_("Running work"),
    "log": N_("Log of the factory"),
    "backup": N_("Backup of the factory"),
    "copy": N_("Copy of a data set"),
    "data_set": N_("Data set"),
}
ENDED_NAMES = {"gone": N_("it is no longer there"), "allowed": N_("rules and facts allow it now")}
LIMIT_NAMES = {
    "countries": N_("Country of the site"),
    "operator_countries": N_("Seat of the operator"),
    "parent_countries": N_("Seat of the operator's ultimate parent"),
    "sites": N_("Sites"),
    "dedicated": N_("Nodes of its own"),
}
DEDICATED_NAMES = {
    "": N_("shared with others"),
    "project": N_("shared with no other project"),
    "organisation": N_("shared with no other organisation"),
}
LIMITS_OF_PROOF = (
    N_("That a site is where the log says is the operator's signed word; nothing here measures a location."),
    N_("That these are all events that matter is the operator's signed word too. Whoever holds the whole log can check it."),
    N_("What a job sent away by itself over a network is not seen."),
    N_("The place of a backup or of an exported log is what its maker declared."),
    N_("What ran at a simulated site ran on no machine there: it shows the rules at work, not a place."),
)
WORDS: Mapping[str, Any] = {
    "scope_names": SCOPE_NAMES,
    "kept_names": KEPT_NAMES,
    "ended_names": ENDED_NAMES,
    "limit_names": LIMIT_NAMES,
    "dedicated_names": DEDICATED_NAMES,
}


@page("GET", "/rules", "project:read", OWN)
def list_rules(call: Call) -> Response:
    """Show whose rules the caller may see, with each one's own."""
    reader, rules = call.application.reader, call.application.applier.state.policy.rules
    seen = organisations_of(reader, call.who) if call.may("organisation:read") else ()
    where: dict[str, object] = {} if seen is None else {"organisation": seen}
    organisations = reader.rows("organisations", where, limit=PAGE_ROWS).rows if seen is None or seen else []
    owners = [(f"/organisations/{row['organisation']}/rules", "organisation", row) for row in organisations]
    owners += [(f"/projects/{row['project']}/rules", "project", row) for row in projects_of(reader, call.who, PAGE_ROWS)]
    shown = [
        {"path": path, "scope": scope, "name": row["name"], "limits": dict(rules[row[scope]].limits) if row[scope] in rules else {}}
        for path, scope, row in owners
    ]
    return call.render("policy/list.html", owners=shown, may_see_violations=call.may("violation:read", (FACTORY, None)), **WORDS)


@page("GET", "/organisations/{organisation}/rules", "rule:read", ORGANISATION, "organisation")
def show_organisation(call: Call) -> Response:
    """Show the rules of an organisation and the sites they leave."""
    return _rules(call, "organisation")


@page("POST", "/organisations/{organisation}/rules", "rule:write", ORGANISATION, "organisation")
def set_organisation(call: Call) -> Response:
    """Set the rule of an organisation."""
    return _set(call, "organisation")


@page("GET", "/projects/{project}/rules", "rule:read", PROJECT, "project")
def show_project(call: Call) -> Response:
    """Show the rules of a project and the sites they leave."""
    return _rules(call, "project")


@page("POST", "/projects/{project}/rules", "rule:write", PROJECT, "project")
def set_project(call: Call) -> Response:
    """Set the rule of a project."""
    return _set(call, "project")


@page("GET", "/violations", "violation:read", FACTORY)
def list_violations(call: Call) -> Response:
    """Show what the auditor round found where rules forbid it, newest first."""
    found = call.application.reader.rows("violations", {}, cursor=call.query("after") or None, limit=PAGE_ROWS)
    return call.render(
        "policy/violations.html",
        violations=[_named(call, violation(row)) for row in found.rows],
        next_cursor=found.next_cursor,
        **WORDS,
    )


@page("GET", "/jobs/{job}/residency", "job:prove", JOB, "job")
def show_residency(call: Call) -> Response:
    """Show where a job was, by which rules, who operates the place, and where its traces are."""
    job = call.parameter("job")
    found = prove_residency.statement(call.application, job)
    if isinstance(found, Refusal):
        raise Refused(found)
    row = call.application.reader.row("jobs", job) or {}
    return call.render(
        "policy/residency.html",
        job=job,
        name=row.get("name") or job,
        found={**found, **{part: [_named(call, one) for one in found[part]] for part in ("stays", "kept")}},
        limits_of_proof=LIMITS_OF_PROOF,
        check_command=f"python scripts/verify_residency.py residency-{job}.json",
        form_id=call.new_form_id(),
        **WORDS,
    )


@page("POST", "/jobs/{job}/residency", "job:prove", JOB, "job")
def send_proof(call: Call) -> Response:
    """State in the log which events bear on where the job was, and send them all as a file."""
    job = call.parameter("job")
    made = prove_residency.bundle(call.application, call.who, job)
    if isinstance(made, Refusal):
        raise Refused(made)
    headers = {"Content-Disposition": f'attachment; filename="residency-{job}.json"', "Cache-Control": "no-store"}
    return Response(json.dumps(made).encode() + b"\n", 200, headers, "application/json")


def _set(call: Call, scope: str) -> Response:
    owner = call.parameter(scope)
    try:
        call.perform(set_rules.command(call.who, owner=owner, rule=_rule(call)))
    except Refused as refused:
        return _rules(call, scope, refused)
    return call.redirect(f"/{scope}s/{owner}/rules", "rule-set")


def _rule(call: Call) -> PlacementRule:
    """Return the rule that a form says; raise Refused with everything that is wrong with it."""
    said: dict[str, Any] = {key: _parts(call.form.text(key)) for key in LIMITS if call.form.text(key)}
    if call.form.text("dedicated"):
        said["dedicated"] = call.form.text("dedicated")
    findings = Findings()
    rule = parse_placement(said, "", findings)
    if findings.refusals:
        raise Refused(*findings.refusals)
    return rule


def _rules(call: Call, scope: str, refused: Refused | None = None) -> Response:
    owner = call.parameter(scope)
    found = call.ask(set_rules.question(owner=owner))
    own: Mapping[str, list[str]] = found["own"]
    typed = {key: ", ".join(own.get(key, []) if key == "sites" else collapse(own.get(key, []))) for key in LIMITS}
    typed["dedicated"] = "".join(own.get("dedicated", []))
    if refused is not None:
        typed = {key: call.form.text(key) for key in typed}
    row = call.application.reader.row(f"{scope}s", owner) or {}
    return call.render(
        "policy/rules.html",
        status=200 if refused is None else 422,
        refusals=() if refused is None else refused.refusals,
        action=f"/{scope}s/{owner}/rules",
        scope=scope,
        name=row.get("name") or owner,
        found=found,
        typed=typed,
        owner_names=_names(call, found),
        may_write=call.may("rule:write", (ORGANISATION if scope == "organisation" else PROJECT, owner)),
        form_id=call.new_form_id(),
        **WORDS,
    )


def _names(call: Call, found: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of whose rules hold, by their ids."""
    state = call.application.applier.state
    return {rule["owner"]: owner_name(state, rule["owner"]) for rule in found["rules"]}


def _named(call: Call, one: Mapping[str, Any]) -> dict[str, Any]:
    """Return something with findings, each with the name of whose rule it is."""
    state = call.application.applier.state
    findings = [{**finding, "owner_name": owner_name(state, finding["name"])} for finding in one["findings"]]
    return {**one, "findings": findings}


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.replace(";", ",").split(",") if part.strip()]


PAGES = (
    list_rules,
    show_organisation,
    set_organisation,
    show_project,
    set_project,
    list_violations,
    show_residency,
    send_proof,
)
NAVIGATION = (NavEntry("/rules", N_("Places and rules"), "project:read", 450),)
NOTICES = {"rule-set": N_("The rule is set. Whatever waits goes where it may be from now on.")}
