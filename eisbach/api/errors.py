"""Refusals as problem details (RFC 9457): one shape for everything that goes wrong on the API."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from eisbach.api.envelope import loggable_path
from eisbach.app.authorise import ABSENT
from eisbach.app.tell_refusal import tell
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.engine import EngineUnavailable
from eisbach.ports.store import LeadershipLost, StoreFull, StoreUnavailable
from eisbach.ports.translator import SOURCE_LANGUAGE, Translator

__all__ = ["ABSENT", "PROBLEM_JSON", "STATUS", "Problem", "handle_problems", "invalid", "problem_body", "problem_response"]

PROBLEM_JSON = "application/problem+json"
log = logging.getLogger("eisbach.api")

STATUS = {
    Reason.TOO_LARGE: 413,
    Reason.METHOD_NOT_ALLOWED: 405,
    Reason.UNAUTHENTICATED: 401,
    Reason.FORBIDDEN: 403,
    Reason.NOT_FOUND: 404,
    Reason.NAME_TAKEN: 409,
    Reason.ALREADY_ENDED: 409,
    Reason.IDEMPOTENCY_CONFLICT: 409,
    Reason.ORGANISATION_EXISTS: 409,
    Reason.WINDOW_TAKEN: 409,
    Reason.MISSING_SECRET: 409,
    Reason.OVER_QUOTA: 409,
    Reason.WRONG_OFFSET: 409,
    Reason.WRONG_CHECKSUM: 460,  # of the tus protocol
    Reason.UPLOAD_BUSY: 423,
    Reason.DATA_IN_USE: 409,
    Reason.DATA_DELETED: 410,
    Reason.DATA_DAMAGED: 500,
    Reason.OVER_BUDGET: 409,
    Reason.BUDGET_RESERVED: 409,
    Reason.BUDGET_REACHED: 409,
    Reason.NO_WINDOW: 409,
    Reason.QUOTE_EXPIRED: 410,
    Reason.OPTION_TAKEN: 409,
    Reason.ALREADY_BOOKED: 409,
    Reason.TOO_MANY_HOLDS: 409,
    Reason.BOOKING_OVER: 409,
    Reason.BUDGET_BOOKED: 409,
    Reason.NOTHING_TO_BILL: 409,
    Reason.BILLING_DETAILS_MISSING: 409,
    Reason.CREDIT_TOO_LARGE: 409,
    Reason.NO_VAT_RATE: 409,
    Reason.STORE_FULL: 507,
    Reason.DISK_FULL: 507,
    Reason.STORE_UNAVAILABLE: 503,
    Reason.NODES_UNAVAILABLE: 503,
    Reason.NOT_LEADER: 503,
    Reason.OVERLOADED: 503,
    Reason.INTERNAL_ERROR: 500,
}
"""HTTP status of each reason; all others are 422: understood, and wrong as it stands."""

RETRY_AFTER = {"Retry-After": "2"}


class Problem(HTTPException):
    """One or several refusals on their way to the client."""

    def __init__(
        self, *refusals: Refusal, status: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        self.refusals = refusals
        chosen = status or STATUS.get(refusals[0].reason, 422)
        if chosen == 503:
            headers = {**RETRY_AFTER, **(headers or {})}
        super().__init__(status_code=chosen, detail=str(refusals[0]), headers=headers)


def invalid(what: str, do: str = "", where: str = "", status: int | None = None) -> Problem:
    """Return the problem of a request that is wrong in itself."""
    return Problem(Refusal(Reason.INVALID_ARGUMENT, what, do, where), status=status)


def documented(**whys: str) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI document says about refusals that only some routes have: `of_410="It is gone."`."""
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    return {int(status.removeprefix("of_")): {"description": why, "content": content} for status, why in whys.items()}


def problem_body(status: int, refusals: Sequence[Refusal], instance: str) -> bytes:
    """Return the problem document of one or several refusals; the first gives reason and type."""
    return msgspec.json.encode(_document(status, refusals, instance), enc_hook=str)


def problem_in(translator: Translator, language: str, status: int, refusals: Sequence[Refusal], instance: str) -> bytes:
    """Return the problem document in another language than that of the source; where this says less, `source` has all."""
    told = [tell(translator, language, refusal) for refusal in refusals]
    document = _document(status, refusals, instance)
    document |= {"title": told[0].title, "detail": told[0].sentence, "source": document["detail"]}
    for error, one in zip(document["errors"], told, strict=True):
        error |= {"detail": one.sentence, "source": one.source}
    return msgspec.json.encode(document, enc_hook=str)


def _document(status: int, refusals: Sequence[Refusal], instance: str) -> dict[str, Any]:
    first = refusals[0]
    return {
        "type": f"urn:eisbach:reason:{first.reason.value}",
        "title": first.reason.value.replace("_", " ").capitalize(),
        "status": status,
        "detail": str(first) if len(refusals) == 1 else f"{len(refusals)} things are wrong. First: {first}",
        "instance": instance,
        "reason": first.reason.value,
        "retryable": first.reason.is_retryable,
        "errors": [_error(refusal) for refusal in refusals],
    }


def problem_response(request: Request, problem: Problem) -> Response:
    """Return the response of a problem; its `instance` is the path that was asked for."""
    translator: Translator = request.app.state.host.application.translator
    language = translator.choose(request.headers.get("accept-language", ""))
    status, path = problem.status_code, request.scope["path"]
    headers = {**(problem.headers or {}), "Content-Language": language, "Vary": "Accept-Language"}
    if language == SOURCE_LANGUAGE:
        body = problem_body(status, problem.refusals, path)
    else:
        body = problem_in(translator, language, status, problem.refusals, path)
    return Response(body, status, headers, PROBLEM_JSON)


def handle_problems(app: FastAPI) -> None:
    """Make every error of the app, foreseen or not, a problem document."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)


def _error(refusal: Refusal) -> dict[str, Any]:
    error: dict[str, Any] = {"reason": refusal.reason.value, "field": refusal.where, "detail": str(refusal)}
    if refusal.values:
        error["values"] = dict(refusal.values)
    return error


async def _on_http_exception(request: Request, error: Exception) -> Response:
    if isinstance(error, Problem):
        return problem_response(request, error)
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    match status:
        case 404:
            problem = Problem(ABSENT)
        case 405:
            allowed = (headers or {}).get("Allow", "")
            method = request.method
            what = Refusal(Reason.METHOD_NOT_ALLOWED, f"{method} is not possible here", f"Use {allowed}")
            problem = Problem(what, headers=headers)
        case _:
            what = Refusal(Reason.INVALID_ARGUMENT, "The request cannot be read", "Send what the OpenAPI document says")
            problem = Problem(what, status=status, headers=headers)
    return problem_response(request, problem)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    return problem_response(request, Problem(*[_refusal_of(item) for item in found[:100]]))


def _refusal_of(item: Mapping[str, Any]) -> Refusal:
    place, *path = item["loc"]
    field = ".".join(str(part) for part in path)
    if item["type"] == "extra_forbidden":
        return Refusal(Reason.UNKNOWN_KEY, f"{field!r} is not known here", "Leave it out", field)
    message = str(item["msg"])
    subject = field or ("the body" if place == "body" else str(place))
    return Refusal(Reason.INVALID_ARGUMENT, f"{subject}: {message[:1].lower()}{message[1:]}", "", field)


async def _on_port_error(request: Request, error: Exception) -> Response:
    reason, what, do = next(answer for kind, answer in _PORT_ERRORS.items() if isinstance(error, kind))
    log.error("%s %s: %s", request.method, loggable_path(request.scope), error)
    return problem_response(request, Problem(Refusal(reason, what, do)))


async def _on_unforeseen(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, loggable_path(request.scope), exc_info=error)
    what = "the factory failed at this request; nothing of it was kept unless a later read shows it"
    do = "Repeat it with the same Idempotency-Key; tell the operator the X-Request-Id"
    return problem_response(request, Problem(Refusal(Reason.INTERNAL_ERROR, what, do)))


_PORT_ERRORS: dict[type[Exception], tuple[Reason, str, str]] = {
    StoreFull: (Reason.STORE_FULL, "the disk under the factory's store is full", "free some space, then repeat"),
    StoreUnavailable: (Reason.STORE_UNAVAILABLE, "the factory's store cannot be reached", "repeat in a moment"),
    LeadershipLost: (Reason.NOT_LEADER, "this server is no longer the leader", "repeat with another server"),
    EngineUnavailable: (Reason.NODES_UNAVAILABLE, "the engine cannot be reached", "repeat in a moment"),
}

_HANDLERS: dict[int | type[Exception], Any] = {
    HTTPException: _on_http_exception,
    RequestValidationError: _on_invalid_request,
    **dict.fromkeys(_PORT_ERRORS, _on_port_error),
    Exception: _on_unforeseen,
}
