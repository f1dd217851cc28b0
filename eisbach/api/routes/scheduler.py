"""The scheduler's policy: which holds, and that the operator sets another one."""

from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import schemas_scheduler
from eisbach.api.access import FACTORY, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer, perform, settled
from eisbach.app import set_scheduler

router = APIRouter(route_class=GuardedRoute, tags=["factory"])


@router.get("/v1/scheduler", response_model=schemas_scheduler.Scheduler, summary="The policy that the scheduler decides by")
@allow("scheduler:read", FACTORY)
async def scheduler(call: CallNow) -> Response:
    """Return the policy, how many starts are promised, and how many jobs wait."""
    return JsonAnswer(await settled(call, call.application.ask(set_scheduler.question())))


@router.put("/v1/scheduler", response_model=schemas_scheduler.SetPolicy, summary="Set the scheduler's policy")
@allow("scheduler:set", FACTORY)
async def set_policy(call: CallNow, new: schemas_scheduler.NewPolicy) -> Response:
    """Let the scheduler decide by another policy from now on; promises that were given stay."""
    command = set_scheduler.command(
        call.actor,
        policy=new.policy,
        notice_ms=new.notice_ms,
        minimum_run_ms=new.minimum_run_ms,
        half_life_hours=new.half_life_hours,
    )
    return await perform(call, command)
