"""Secrets of a project: written and removed, their names listed, their values never read back."""

from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import schemas
from eisbach.api.access import PROJECT, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer
from eisbach.api.errors import Problem
from eisbach.api.representations import whole
from eisbach.app import keep_secret
from eisbach.core.vocabulary.reasons import Refusal

router = APIRouter(route_class=GuardedRoute, tags=["secrets"])


@router.get(
    "/v1/projects/{project}/secrets", response_model=schemas.SecretNames, summary="List the names of secrets"
)
@allow("secret:list", PROJECT, "project")
def list_names(call: CallNow, project: schemas.ProjectPath) -> Response:
    """Return the names of a project's secrets, sorted."""
    return JsonAnswer(whole([{"name": name} for name in keep_secret.names(call.application, project)]))


@router.put(
    "/v1/projects/{project}/secrets/{name}", response_model=schemas.StoredSecret, summary="Store a secret"
)
@allow("secret:write", PROJECT, "project")
def store(
    call: CallNow, project: schemas.ProjectPath, name: schemas.SecretNamePath, new: schemas.NewSecret
) -> Response:
    """Store a secret under the name of the environment variable it becomes, replacing an older value."""
    answer = keep_secret.store(call.application, call.actor, project, name, new.value)
    if isinstance(answer, Refusal):
        raise Problem(answer)
    return JsonAnswer({"project": project, "name": name})


@router.delete(
    "/v1/projects/{project}/secrets/{name}", response_model=schemas.StoredSecret, summary="Remove a secret"
)
@allow("secret:write", PROJECT, "project")
def remove(call: CallNow, project: schemas.ProjectPath, name: schemas.SecretNamePath) -> Response:
    """Remove a secret for good."""
    answer = keep_secret.remove(call.application, call.actor, project, name)
    if isinstance(answer, Refusal):
        raise Problem(answer)
    return JsonAnswer({"project": project, "name": name})
