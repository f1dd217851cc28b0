"""Placement rules: shown, set, tried; what violates them; and where logs and backups are kept."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query
from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import representations, schemas, schemas_policy
from eisbach.api.access import FACTORY, JOB, LOG, ORGANISATION, PROJECT, Call, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer, perform, settled
from eisbach.api.errors import Problem
from eisbach.app import prove_residency, set_rules, use_target
from eisbach.app.read_policy import violation
from eisbach.core.jobs.findings import Findings
from eisbach.core.jobs.placement import PlacementRule
from eisbach.core.jobs.placement_request import parse_placement
from eisbach.core.vocabulary.reasons import Refusal

router = APIRouter(route_class=GuardedRoute, tags=["policy"])
Row = Mapping[str, Any]


@router.get(
    "/v1/organisations/{organisation}/rules", response_model=schemas_policy.Rules, summary="The rules of an organisation"
)
@allow("rule:read", ORGANISATION, "organisation")
async def of_organisation(call: CallNow, organisation: schemas.OrganisationPath) -> Response:
    """Return the rules that hold in an organisation, from the topmost on, and which sites they leave."""
    return await _rules(call, organisation)


@router.put(
    "/v1/organisations/{organisation}/rules", response_model=schemas_policy.SetRule, summary="Set an organisation's rule"
)
@allow("rule:write", ORGANISATION, "organisation")
async def set_of_organisation(
    call: CallNow, organisation: schemas.OrganisationPath, new: schemas_policy.NewRule
) -> Response:
    """Set the rule of an organisation; it holds for everything below it, with the rules there."""
    return await perform(call, set_rules.command(call.actor, owner=organisation, rule=_rule(new)))


@router.get("/v1/projects/{project}/rules", response_model=schemas_policy.Rules, summary="The rules of a project")
@allow("rule:read", PROJECT, "project")
async def of_project(call: CallNow, project: schemas.ProjectPath) -> Response:
    """Return the rules that hold in a project, its organisations' before its own, and which sites they leave."""
    return await _rules(call, project)


@router.put("/v1/projects/{project}/rules", response_model=schemas_policy.SetRule, summary="Set a project's rule")
@allow("rule:write", PROJECT, "project")
async def set_of_project(call: CallNow, project: schemas.ProjectPath, new: schemas_policy.NewRule) -> Response:
    """Set the rule of a project; those of its organisations hold as well."""
    return await perform(call, set_rules.command(call.actor, owner=project, rule=_rule(new)))


@router.get("/v1/violations", response_model=schemas_policy.Violations, summary="What is where rules forbid it")
@allow("violation:read", FACTORY)
def violations(
    call: CallNow,
    is_open: Annotated[bool, Query(alias="open", description="Only those that have not ended.")] = False,
    cursor: schemas.Cursor = None,
    limit: schemas.Limit = 100,
) -> Response:
    """Return a page of violations, newest first, as the auditor round found them."""
    where: dict[str, object] = {"ended_how": ""} if is_open else {}
    found = call.application.reader.rows("violations", where, cursor=cursor, limit=limit)
    return JsonAnswer(representations.page(found, _violation))


@router.post("/v1/targets", status_code=201, response_model=schemas_policy.Target, summary="Ask for a place of a log or backup")
@allow("target:use", LOG)
async def use(call: CallNow, new: schemas_policy.NewTarget) -> Response:
    """Record that the log or a backup is about to be written to a site; refused, on record, where any rule forbids it."""
    return await perform(call, use_target.command(call.actor, use=new.use, site=new.site), 201)


@router.get("/v1/targets", response_model=schemas_policy.Targets, summary="Where logs and backups were written")
@allow("target:read", LOG)
def targets(call: CallNow, cursor: schemas.Cursor = None, limit: schemas.Limit = 100) -> Response:
    """Return a page of the places that logs and backups were written to, newest first."""
    found = call.application.reader.rows("targets", {}, cursor=cursor, limit=limit)
    return JsonAnswer(representations.page(found, _target))


@router.post("/v1/targets/clear", response_model=schemas_policy.Target, summary="Say that a place holds nothing any more")
@allow("target:clear", LOG)
async def clear(call: CallNow, old: schemas_policy.OldTarget) -> Response:
    """Record the operator's word that no log, or no backup, is kept at a site any more."""
    return await perform(call, use_target.clear(call.actor, use=old.use, site=old.site))


@router.get("/v1/jobs/{job}/residency", response_model=schemas_policy.Residency, summary="Where a job was, by which rules")
@allow("job:prove", JOB, "job")
def residency(call: CallNow, job: schemas.JobPath) -> Response:
    """Return where a job was and where its data, logs and backups are, evaluated from the log's events now."""
    found = prove_residency.statement(call.application, job)
    if isinstance(found, Refusal):
        raise Problem(found)
    return JsonAnswer(representations.with_instants(found))


@router.post("/v1/jobs/{job}/residency-proof", response_model=schemas_policy.ResidencyProof, summary="Prove where a job was")
@allow("job:prove", JOB, "job")
def residency_proof(call: CallNow, job: schemas.JobPath) -> Response:
    """State in the log which events bear on where a job was, and return a bundle of all of them under a signed head."""
    made = prove_residency.bundle(call.application, call.actor, job)
    if isinstance(made, Refusal):
        raise Problem(made)
    return JsonAnswer(made)


async def _rules(call: Call, owner: str) -> Response:
    return JsonAnswer(await settled(call, call.application.ask(set_rules.question(owner=owner))))


def _rule(new: schemas_policy.NewRule) -> PlacementRule:
    """Return the rule of a body; raise Problem with everything that is wrong with it."""
    findings = Findings()
    rule = parse_placement(new.model_dump(exclude_none=True), "", findings)
    if findings.refusals:
        raise Problem(*findings.refusals)
    return rule


def _violation(row: Row) -> dict[str, Any]:
    shown = violation(row)
    instants = {f"{name}_at": representations.instant_text(shown.pop(f"{name}_ms")) for name in ("found", "ended")}
    return {**shown, **instants}


def _target(row: Row) -> dict[str, Any]:
    shown = {name: row[name] for name in ("target", "use", "site", "is_cleared", "head_size", "told_by")}
    return {**shown, "position": row["seq"], "at": representations.instant_text(row["at_ms"])}
