"""Links into the web portal: short-lived, each works once. Whoever may issue a token may hand one out that opens the same."""

from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import schemas_portal as schemas
from eisbach.api.access import CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer
from eisbach.api.representations import instant_text
from eisbach.api.routes.tokens import bound_to
from eisbach.app.commands import Role

router = APIRouter(route_class=GuardedRoute, tags=["tokens"])

SIGN_UP = "sign-up"


@router.post("/v1/portal-links", status_code=201, response_model=schemas.PortalLink, summary="Offer a link into the portal")
@allow("token:create", located_by=bound_to)
async def offer(call: CallNow, new: schemas.NewPortalLink) -> Response:
    """Return a new link: below the portal's address, good for one session within its time. Each call makes another one."""
    role = None if new.role == SIGN_UP else Role(new.role)
    code, expires_ms = call.application.entry_codes.offer(
        call.actor, role=role, organisation=new.organisation, project=new.project
    )
    path = f"/portal/enter?code={code}"
    return JsonAnswer({"role": new.role, "path": path, "expires_at": instant_text(expires_ms)}, 201)
