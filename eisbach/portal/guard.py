"""Admits a call to its page: language, session, form, policy; and tells in a page whatever goes wrong."""

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from eisbach.app.authorise import ABSENT, FACTORY, Place, authorise
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.portal.access import Page
from eisbach.portal.call import Call, PortalHost
from eisbach.portal.envelope import loggable_path
from eisbach.portal.forms import CSRF, Form, Refused, is_from_here, read_form
from eisbach.portal.session import BACK_COOKIE, LANGUAGE_COOKIE, PATH, Session, session_of, set_cookie
from eisbach.portal.speech import Speech
from eisbach.ports.authoriser import Resource
from eisbach.ports.engine import EngineUnavailable
from eisbach.ports.store import LeadershipLost, StoreFull, StoreUnavailable

log = logging.getLogger("eisbach.portal")
BACK_S = 1800
FOREIGN_FORM = Refusal(
    Reason.FORBIDDEN,
    "This form was not sent by this page; nothing was changed",
    "Open the page anew and send the form from there",
)
STATUS = {
    Reason.UNAUTHENTICATED: 401,
    Reason.FORBIDDEN: 403,
    Reason.NOT_FOUND: 404,
    Reason.METHOD_NOT_ALLOWED: 405,
    Reason.TOO_LARGE: 413,
    Reason.INTERNAL_ERROR: 500,
    Reason.STORE_FULL: 507,
    Reason.STORE_UNAVAILABLE: 503,
    Reason.NOT_LEADER: 503,
    Reason.NODES_UNAVAILABLE: 503,
    Reason.OVERLOADED: 503,
}
"""HTTP status of a page that tells a refusal; all others are 422."""
_PORT_ERRORS: dict[type[Exception], Refusal] = {
    StoreFull: Refusal(Reason.STORE_FULL, "The disk under the factory's store is full", "Try again later"),
    StoreUnavailable: Refusal(Reason.STORE_UNAVAILABLE, "The factory's store cannot be reached", "Try again in a moment"),
    LeadershipLost: Refusal(Reason.NOT_LEADER, "This server is no longer the leader", "Try again in a moment"),
    EngineUnavailable: Refusal(Reason.NODES_UNAVAILABLE, "The engine cannot be reached", "Try again in a moment"),
}


class PageRoute(Route):
    """The route of a page; it cannot be made without an action."""

    def __init__(self, endpoint: Callable[..., Any]) -> None:
        made = getattr(endpoint, "page", None)
        if not isinstance(made, Page):
            raise TypeError(f"{endpoint.__name__} names no action; put @page(...) or @public_page(...) on it")
        self.page = made
        self._show = endpoint
        super().__init__(PATH + made.path, self._answer, methods=[made.method])

    async def _answer(self, request: Request) -> Response:
        call = _call_of(request)
        try:
            await _admit(self.page, call)
            if call.actor is None and not self.page.is_public:
                return _sign_in_page(call)
            if inspect.iscoroutinefunction(self._show):
                response: Response = await self._show(call)
                return response
            return await asyncio.to_thread(self._show, call)
        except Refused as refused:
            return refusal_page(call, *refused.refusals)
        except tuple(_PORT_ERRORS) as error:
            log.error("%s %s: %s", request.method, loggable_path(request.scope), error)
            return refusal_page(call, next(told for kind, told in _PORT_ERRORS.items() if isinstance(error, kind)))
        except (ClientDisconnect, HTTPException):
            raise
        except Exception as error:
            log.error("%s %s failed", request.method, loggable_path(request.scope), exc_info=error)
            what = f"The factory failed at this request ({request.scope['eisbach.request_id']})"
            return refusal_page(call, Refusal(Reason.INTERNAL_ERROR, what, "Try it again; tell the operator the number"))


def refusal_page(call: Call, *refusals: Refusal) -> Response:
    """Return the page that tells why something was not done."""
    return call.render("refused.html", status=STATUS.get(refusals[0].reason, 422), refusals=refusals)


async def answer_absent(request: Request, error: Exception) -> Response:
    """Answer for an address that no page has."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    call = _call_of(request)
    call.actor = call.application.actor_of(call.session.secret) if call.session.secret else None
    if status == 405:
        return refusal_page(call, Refusal(Reason.METHOD_NOT_ALLOWED, "This address cannot be used so", "Go back to the page before"))
    return refusal_page(call, ABSENT)


def _call_of(request: Request) -> Call:
    host: PortalHost = request.app.state.host
    translator = host.application.translator
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    language = chosen if chosen in translator.languages else translator.choose(request.headers.get("accept-language", ""))
    return Call(
        host=host,
        request=request,
        actor=None,
        resource=Resource(FACTORY),
        session=session_of(request),
        speech=Speech(translator, language),
        form=Form(),
    )


async def _admit(made: Page, call: Call) -> None:
    """Fill in who asks, the form and the resource; raise Refused where something of it may not be."""
    request = call.request
    is_sent, is_piece = request.method == "POST", request.method == "PATCH"
    if call.session.secret:
        call.actor = call.application.actor_of(call.session.secret)
    if is_sent:
        if not is_from_here(request):
            raise Refused(FOREIGN_FORM)
        call.form = await read_form(request)
    if made.is_public or call.actor is None:
        return
    if is_sent and not call.session.has_sent(call.form.text(CSRF)):
        raise Refused(FOREIGN_FORM)
    # A page's script, which sends bytes and no form, says in a header what a form says in a field.
    if is_piece and not (is_from_here(request) and call.session.has_sent(request.headers.get("eisbach-form", ""))):
        raise Refused(FOREIGN_FORM)
    place: Place = (made.kind, request.path_params.get(made.named_by))
    if made.located_by is not None:
        place = made.located_by(call.form)
    found = authorise(call.application, call.actor, made.action, place)
    if isinstance(found, Refusal):
        raise Refused(found)
    call.resource = found


def _sign_in_page(call: Call) -> Response:
    """Return the page for whoever has no session, or one that has ended: nothing was changed, and how to come back."""
    had_session, is_sent = bool(call.session.secret), call.request.method == "POST"
    call.session = Session()
    response = call.render("enter/no_session.html", status=401, had_session=had_session, is_sent=is_sent)
    if not is_sent:
        set_cookie(call.request, response, BACK_COOKIE, call.request.url.path, BACK_S)
    return response
