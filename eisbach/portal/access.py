"""Who may open a page: every page names its action, and nothing runs before a policy has permitted it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from starlette.responses import Response

from eisbach.app.authorise import (
    BOOKING,
    DATA,
    FACTORY,
    INVOICE,
    JOB,
    LOG,
    NODE,
    ORGANISATION,
    OWN,
    PROJECT,
    TOKEN,
    Place,
)
from eisbach.portal.call import Call
from eisbach.portal.forms import Form

__all__ = ["BOOKING", "DATA", "FACTORY", "INVOICE", "JOB", "LOG", "NODE", "ORGANISATION", "OWN", "PROJECT", "TOKEN", "Page", "page", "public_page"]

Endpoint = Callable[[Call], Response] | Callable[[Call], Awaitable[Response]]
Marked = TypeVar("Marked", bound=Endpoint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page asks of its caller.

    `path` stands below /portal. `named_by` is the path parameter with the id of what the page is about; `located_by`
    finds it in the sent form instead. A public page asks nobody anything.
    """

    method: str
    path: str
    action: str
    kind: str = FACTORY
    named_by: str = ""
    located_by: Callable[[Form], Place] | None = None
    is_public: bool = False


def page(
    method: str,
    path: str,
    action: str,
    kind: str = FACTORY,
    named_by: str = "",
    *,
    located_by: Callable[[Form], Place] | None = None,
) -> Callable[[Marked], Marked]:
    """Say where a page is, which action it takes, and on what: the one way to let anybody in.

    A plain function runs on a thread and may wait for the application; an async one must not.
    """
    return _marked(Page(method=method, path=path, action=action, kind=kind, named_by=named_by, located_by=located_by))


def public_page(method: str, path: str) -> Callable[[Marked], Marked]:
    """Say that a page is open to everybody."""
    return _marked(Page(method=method, path=path, action="public", is_public=True))


def _marked(made: Page) -> Callable[[Marked], Marked]:
    def mark(endpoint: Marked) -> Marked:
        endpoint.__dict__["page"] = made
        return endpoint

    return mark
