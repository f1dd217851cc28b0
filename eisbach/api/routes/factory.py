"""The factory itself: health, versions, metrics, offers, and the OpenAPI document."""

from collections.abc import Iterable, Iterator

from fastapi.routing import APIRouter
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from starlette.responses import Response

from eisbach import __version__
from eisbach.api import representations, schemas
from eisbach.api.access import FACTORY, OWN, CallNow, GuardedRoute, allow, public
from eisbach.api.answers import JsonAnswer, settled
from eisbach.app import list_offers, observe_factory

router = APIRouter(route_class=GuardedRoute, tags=["factory"])

API_VERSION = "1"
_JSON_DOCUMENT = {"content": {"application/json": {"schema": {"type": "object"}}}, "description": "OpenAPI 3.1."}
_TEXT = {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus text format."}

Sample = tuple[str, dict[str, str], float]


@router.get("/healthz", response_model=schemas.Health, summary="Whether the factory takes work")
@public()
async def health(call: CallNow) -> Response:
    """Return 200 while the factory takes work, 503 while it cannot."""
    is_well = not call.application.applier.failure
    return JsonAnswer({"status": "ok" if is_well else "unavailable"}, 200 if is_well else 503)


@router.get("/v1/openapi.json", response_class=Response, responses={200: _JSON_DOCUMENT}, summary="This document")
@public()
def openapi(call: CallNow) -> Response:
    """Return the OpenAPI document of this API."""
    return Response(call.request.app.state.openapi(), media_type="application/json")


@router.get("/metrics", response_class=Response, responses={200: _TEXT}, summary="Metrics for Prometheus")
@allow("factory:observe", FACTORY)
def metrics(call: CallNow) -> Response:
    """Return the factory's figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Samples(observe_factory.metrics(call.application)))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/version", response_model=schemas.Version, summary="Versions")
@allow("factory:version", OWN)
async def version(call: CallNow) -> Response:
    """Return the version of the software and of the API."""
    return JsonAnswer({"software": __version__, "api": API_VERSION})


@router.get("/v1/me", response_model=schemas.Me, summary="Who is asking")
@allow("me:read", OWN)
async def me(call: CallNow) -> Response:
    """Return the token that asks, its role, and what it is bound to."""
    return JsonAnswer(representations.actor(call.actor))


@router.get("/v1/factory", response_model=schemas.Factory, summary="How the factory is")
@allow("factory:observe", FACTORY)
def factory(call: CallNow) -> Response:
    """Return isolation, sites, engine and the size of the log."""
    return JsonAnswer(representations.with_money_text(observe_factory.status(call.application)))


@router.get("/v1/offers", response_model=schemas.Offers, summary="What there is to be had")
@allow("offers:read", OWN)
async def offers(call: CallNow) -> Response:
    """Return the flavours that exist, with price, place and what is free now."""
    return JsonAnswer(representations.offers(await settled(call, call.application.ask(list_offers.question()))))


class _Samples:
    """Samples as a collector, for a registry that lives for one answer."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Metric]:
        families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
        for name, labels, value in self._samples:
            family = families.get(name)
            if family is None:
                kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
                family = families[name] = kind(name, observe_factory.MEANINGS[name], labels=sorted(labels))
            family.add_metric([labels[label] for label in sorted(labels)], value)
        yield from families.values()
