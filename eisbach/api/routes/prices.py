"""Prices: the price book with the validity of each version."""

from fastapi.routing import APIRouter
from starlette.responses import Response

from eisbach.api import representations, schemas_billing
from eisbach.api.access import OWN, CallNow, GuardedRoute, allow
from eisbach.api.answers import JsonAnswer, settled
from eisbach.api.representations_billing import price_version
from eisbach.app import list_prices

router = APIRouter(route_class=GuardedRoute, tags=["prices"])


@router.get("/v1/prices", response_model=schemas_billing.PriceVersions, summary="List the versions of the prices")
@allow("offers:read", OWN)
async def list_versions(call: CallNow) -> Response:
    """Return every version of the prices, the one that begins last first. A job keeps the one it was submitted under."""
    found = await settled(call, call.application.ask(list_prices.question()))
    return JsonAnswer(representations.whole([price_version(one) for one in found]))


@router.get(
    "/v1/prices/{version}", response_model=schemas_billing.PriceVersion, summary="Look at a version of the prices"
)
@allow("offers:read", OWN)
async def read(call: CallNow, version: schemas_billing.VersionPath) -> Response:
    """Return one version of the prices."""
    return JsonAnswer(price_version(await settled(call, call.application.ask(list_prices.version(version)))))
