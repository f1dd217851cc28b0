"""The portal as an ASGI application: all pages, each behind its action, and the pages that errors lead to."""

from collections.abc import Sequence
from types import ModuleType

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from eisbach.app.application import Application
from eisbach.core.jobs.task_file import TaskDefaults
from eisbach.portal.call import PortalHost
from eisbach.portal.envelope import Envelope
from eisbach.portal.guard import PageRoute, answer_absent
from eisbach.portal.navigation import NavEntry
from eisbach.portal.pages import (
    bill,
    bookings,
    data,
    energy,
    enter,
    files,
    fragmentation,
    home,
    jobs,
    offers,
    package,
    policy,
    projects,
    promises,
    shares,
    sites,
    start,
)
from eisbach.portal.rendering import Rendering

AREAS: Sequence[ModuleType] = (
    home,
    offers,
    sites,
    start,
    jobs,
    projects,
    data,
    policy,
    shares,
    bookings,
    bill,
    promises,
    package,
    enter,
    files,
    fragmentation,
    energy,
)
"""The modules of pages. Each has PAGES, and may have NAVIGATION and NOTICES; docs/portal.md says more."""


class Portal(Starlette):
    """The portal with its envelope around everything, so that the page of an unforeseen error has it too."""

    def build_middleware_stack(self) -> ASGIApp:
        """Return what answers a call."""
        return Envelope(super().build_middleware_stack())


def create_portal(application: Application, task_defaults: TaskDefaults | None = None) -> Portal:
    """Return the portal of an application; raise TypeError where a page names no action."""
    notices = {key: text for area in AREAS for key, text in getattr(area, "NOTICES", {}).items()}
    navigation: list[NavEntry] = [entry for area in AREAS for entry in getattr(area, "NAVIGATION", ())]
    host = PortalHost(
        application=application,
        task_defaults=task_defaults or TaskDefaults(),
        rendering=Rendering(notices),
        navigation=sorted(navigation, key=lambda entry: entry.place),
    )
    routes: list[BaseRoute] = [PageRoute(endpoint) for area in AREAS for endpoint in area.PAGES]
    portal = Portal(routes=routes, exception_handlers={404: answer_absent, 405: answer_absent})
    portal.router.redirect_slashes = False
    portal.state.host = host
    return portal
