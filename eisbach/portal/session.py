"""Sessions: an ordinary token whose secret sits in a cookie that scripts cannot read and other sites cannot send."""

import hmac
import re
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from eisbach.core.vocabulary.quantities import HOUR_MS

LIFETIME_MS = 8 * HOUR_MS
SESSION_COOKIE, LANGUAGE_COOKIE, THEME_COOKIE = "eisbach_session", "eisbach_language", "eisbach_theme"
NOTICE_COOKIE, BACK_COOKIE = "eisbach_notice", "eisbach_back"
THEMES = ("auto", "light", "dark")
PATH = "/portal"
YEAR_S = 365 * 24 * 3600
_SECRET_LENGTH_MAX = 512
_INSIDE = re.compile(r"/portal/[A-Za-z0-9_./:-]{0,500}\Z")


@dataclass(frozen=True, slots=True)
class Session:
    """The secret of a session's token; empty where there is none."""

    secret: str = ""

    @property
    def form_token(self) -> str:
        """Return what a form of this session carries, so that no other site can send it."""
        return hmac.new(self.secret.encode(), b"eisbach portal form", "sha256").hexdigest() if self.secret else ""

    def has_sent(self, token: str) -> bool:
        """Return whether a form carries this session's token."""
        return bool(self.secret) and hmac.compare_digest(token.encode(), self.form_token.encode())


def session_of(request: Request) -> Session:
    """Return the session that a request's cookie names."""
    secret = request.cookies.get(SESSION_COOKIE, "")
    return Session(secret if len(secret) <= _SECRET_LENGTH_MAX else "")


def open_session(request: Request, response: Response, secret: str) -> None:
    """Put a session into the browser; over https it never leaves on another way."""
    set_cookie(request, response, SESSION_COOKIE, secret, LIFETIME_MS // 1000)


def set_cookie(request: Request, response: Response, name: str, value: str, max_age_s: int) -> None:
    """Set a cookie of the portal; one with no age is taken back."""
    is_encrypted = request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
    response.set_cookie(
        name, value, max_age=max_age_s, path=PATH, secure=is_encrypted, httponly=True, samesite="strict"
    )


def inside_path(text: str) -> str:
    """Return a path of the portal to go back to; the home page for anything else."""
    return text if _INSIDE.match(text) and "//" not in text and ".." not in text else f"{PATH}/"
