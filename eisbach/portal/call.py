"""A call of a page: who asks, in which language, with which form, and how to reach the factory and answer."""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from eisbach.app.application import Application
from eisbach.app.authorise import OWN, Place, authorise
from eisbach.app.commands import Actor, Command, IdempotencyKey
from eisbach.app.state import FactoryState
from eisbach.core.jobs.task_file import TaskDefaults
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.portal.forms import Form, Refused
from eisbach.portal.navigation import NavEntry
from eisbach.portal.rendering import Rendering, View
from eisbach.portal.session import NOTICE_COOKIE, PATH, THEME_COOKIE, THEMES, Session, set_cookie
from eisbach.portal.speech import Speech
from eisbach.ports.authoriser import Resource

T = TypeVar("T")
NOTICE_S = 60


@dataclass(slots=True)
class PortalHost:
    """What all calls share: the application, the templates, and what ends each open stream."""

    application: Application
    task_defaults: TaskDefaults
    rendering: Rendering
    navigation: Sequence[NavEntry] = ()
    streams: set[asyncio.Event] = field(default_factory=set)

    def close_streams(self) -> None:
        """End every open stream. Called on the event loop's thread."""
        for stream in list(self.streams):
            stream.set()


@dataclass(slots=True)
class Call:
    """An admitted call. Its methods that wait may only be called from plain (threaded) pages."""

    host: PortalHost
    request: Request
    actor: Actor | None
    resource: Resource
    session: Session
    speech: Speech
    form: Form

    @property
    def application(self) -> Application:
        """Return the factory."""
        return self.host.application

    @property
    def who(self) -> Actor:
        """Return who asks; only for pages that are not public."""
        assert self.actor is not None, "a guarded page has a caller"
        return self.actor

    def parameter(self, name: str) -> str:
        """Return a parameter of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str) -> str:
        """Return a parameter of the query, empty where there is none."""
        return self.request.query_params.get(name, "").strip()

    def may(self, action: str, place: Place = (OWN, None)) -> bool:
        """Return whether the caller may do something, to show or leave out what leads there."""
        return self.actor is not None and isinstance(authorise(self.application, self.actor, action, place), Resource)

    def perform(self, command: Command) -> Mapping[str, Any]:
        """Have a command decided and return its reply; raise Refused. A form sent twice is decided once."""
        answer = self.application.perform(command, self.key()).result()
        if isinstance(answer, Refusal):
            raise Refused(answer)
        return answer

    def ask(self, question: Callable[[FactoryState, int], T | Refusal]) -> T:
        """Return what a question about the state answers; raise Refused."""
        answer = self.application.ask(question).result()
        if isinstance(answer, Refusal):
            raise Refused(answer)
        return answer

    def render(
        self, template: str, /, *, status: int = 200, refusals: Sequence[Refusal] = (), **values: Any
    ) -> Response:
        """Return a page. `refusals` are told at its top and beside the fields they name."""
        response = self.host.rendering.page(self.view(), template, status, refusals, values)
        if NOTICE_COOKIE in self.request.cookies:
            set_cookie(self.request, response, NOTICE_COOKIE, "", 0)
        return response

    def view(self) -> View:
        """Return what every page of this call shows besides its own content."""
        cookies = self.request.cookies
        theme = cookies.get(THEME_COOKIE, "")
        return View(
            speech=self.speech,
            path=self.request.url.path,
            theme=theme if theme in THEMES else "auto",
            form_token=self.session.form_token,
            role=self.actor.role.value if self.actor is not None else "",
            organisation=self._organisation_name(),
            navigation=[entry for entry in self.host.navigation if self.may(entry.action)],
            notice=cookies.get(NOTICE_COOKIE, ""),
            nonce=self.request.scope["eisbach.nonce"],
            languages=self.application.translator.languages,
            simulated=self.application.simulated_sites() if self.actor is not None else (),
        )

    def redirect(self, path: str, notice: str = "") -> Response:
        """Return the way to another page of the portal, which then shows a notice (a key of rendering.NOTICES)."""
        response = RedirectResponse(PATH + path, 303)
        if notice:
            set_cookie(self.request, response, NOTICE_COOKIE, notice, NOTICE_S)
        return response

    def new_form_id(self) -> str:
        """Return the id of a form that is shown now; a form that is shown again for correction keeps its id."""
        return self.form.id or secrets.token_urlsafe(16)

    def fresh_form_id(self) -> str:
        """Return the id of one of several forms on a page: each does its own work once."""
        return secrets.token_urlsafe(16)

    def _organisation_name(self) -> str:
        owner = self.actor.organisation if self.actor is not None else None
        found = self.application.applier.state.organisations.get(owner) if owner is not None else None
        return found.name if found is not None else ""

    def key(self) -> IdempotencyKey | None:
        """Return the idempotency key of the sent form, or None where it has no id."""
        if not self.form.id:
            return None
        owner = self.resource.project or (self.resource.organisations or (self.who.token,))[0]
        scope = f"{owner} portal {self.request.url.path}"
        return IdempotencyKey(scope=scope, key=self.form.id, body_digest=self.form.digest)
