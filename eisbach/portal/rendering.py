"""Pages from templates (Jinja2): everything a tenant wrote is escaped, every text comes from the catalogues."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from eisbach import __version__
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.portal.navigation import NavEntry
from eisbach.portal.session import PATH
from eisbach.portal.speech import Speech
from eisbach.portal.statics import static_files
from eisbach.portal.words import BADGE_NAMES, ICONS, JOB_STATES, ROLE_NAMES, THEME_NAMES
from eisbach.ports.translator import N_

NOTICES: Mapping[str, str] = {
    "signed-up": N_("Welcome. Your organisation, its first project and this session are ready."),
    "entered": N_("You are signed in."),
    "left": N_("You have signed out; the session is revoked."),
    "job-started": N_("The job was accepted. It runs by itself from here on; you may close this page."),
    "job-cancelled": N_("The job was asked to stop: it gets its signal and its grace, then it ends."),
}
"""What a page may be told to say once, after something was done. Areas add their own keys (`notices_of`)."""

LANGUAGE_NAMES = {"en": "English", "de": "Deutsch"}
_FILTERS = ("money", "number", "percent", "instant", "date", "month", "duration", "size", "memory", "cores", "reason", "country", "countries", "finding")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What every page shows besides its own content."""

    speech: Speech
    path: str
    theme: str
    form_token: str = ""
    role: str = ""
    organisation: str = ""
    navigation: Sequence[NavEntry] = ()
    notice: str = ""
    nonce: str = ""
    languages: Sequence[str] = ()
    simulated: Sequence[str] = ()
    """the sites at which nothing is executed"""


class Rendering:
    """The templates of the portal, compiled when they are first used."""

    def __init__(self, notices: Mapping[str, str]) -> None:
        self._notices = {**NOTICES, **notices}
        environment = Environment(
            loader=PackageLoader("eisbach.portal", "templates"),
            autoescape=True,
            auto_reload=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        for name in _FILTERS:
            environment.filters[name] = _spoken(name)
        environment.globals |= {
            "_": _text,
            "_n": _plural,
            "static": static_path,
            "portal": PATH,
            "version": __version__,
            "language_names": LANGUAGE_NAMES,
            "role_names": ROLE_NAMES,
            "theme_names": THEME_NAMES,
            "badge_names": BADGE_NAMES,
            "job_states": JOB_STATES,
            "icons": ICONS,
        }
        environment.filters["json_text"] = _json_text
        self._environment = environment

    def html(self, view: View, template: str, refusals: Sequence[Refusal], values: Mapping[str, Any]) -> str:
        """Return a template as HTML."""
        told = [view.speech.told(refusal) for refusal in refusals]
        context = {
            "view": view,
            "speech": view.speech,
            "notice": self._notices.get(view.notice, ""),
            "refusals": told,
            "errors": {one.where: one for one in reversed(told) if one.where},
            **values,
        }
        return self._environment.get_template(template).render(context)

    def page(
        self, view: View, template: str, status: int, refusals: Sequence[Refusal], values: Mapping[str, Any]
    ) -> Response:
        """Return a template as a page that nobody keeps."""
        return HTMLResponse(self.html(view, template, refusals, values), status, {"Cache-Control": "no-store"})


def new_nonce() -> str:
    """Return a word that lets one page's own style element through the content security policy."""
    return secrets.token_urlsafe(18)


@lru_cache(maxsize=64)
def static_path(name: str) -> str:
    """Return the address of a static file; it changes with the file, so it may be kept for long."""
    return f"{PATH}/static/{name}?v={static_files()[name].version}"


def _spoken(name: str) -> Any:
    @pass_context
    def speak(context: Context, value: Any, *more: Any, **named: Any) -> Any:
        return getattr(context["speech"], name)(value, *more, **named)

    return speak


@pass_context
def _text(context: Context, message: str, **values: object) -> Markup:
    return context["speech"].text(message, **values)  # type: ignore[no-any-return]


@pass_context
def _plural(context: Context, singular: str, plural: str, count: int, **values: object) -> Markup:
    return context["speech"].plural(singular, plural, count, **values)  # type: ignore[no-any-return]


def _json_text(value: object) -> Markup:
    """Return a value as JSON that may stand in a script element: no `<`, `>`, `&` or line separator as such."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)
