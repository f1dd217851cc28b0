"""The portal of a test's factory, as browsers see it: sessions, forms, and what stands on a page."""

import html
import re
from dataclasses import dataclass
from functools import lru_cache

from starlette.testclient import TestClient

from eisbach.app.application import Application
from eisbach.app.commands import SYSTEM, Role
from eisbach.portal.server import create_portal
from eisbach.portal.session import SESSION_COOKIE
from tests.faces.factory_world import Tenant, World

HOST = "http://portal.test"


@dataclass
class Browser:
    """A browser without JavaScript."""

    client: TestClient

    def get(self, path: str, **more):
        """Open a page; redirects are followed."""
        return self.client.get(f"/portal{path}", **more)

    def send(self, page, action: str, **fields):
        """Send a form that stands on a page, with these fields in it, as a browser does."""
        form = form_of(page.text, action)
        return self.post(action, {**form, **fields})

    def post(self, action: str, fields: dict[str, str], **headers: str):
        """Send fields to an address, redirects are not followed."""
        sent = {"origin": HOST, **headers}
        return self.client.post(f"/portal{action}", data=fields, headers=sent, follow_redirects=False)

    def sign_in(self, secret: str) -> "Browser":
        """Put a token's secret where a session has it."""
        self.client.cookies.set(SESSION_COOKIE, secret, domain="portal.test", path="/portal")
        return self


@lru_cache(maxsize=2)
def portal_of(application: Application):
    """Return the portal of a factory; all its browsers ask the same one."""
    return create_portal(application)


def browser(world: World, secret: str = "", language: str = "en") -> Browser:
    """Return a browser of its own, signed in where a secret is given."""
    made = Browser(TestClient(portal_of(world.application), base_url=HOST, headers={"accept-language": language}))
    return made.sign_in(secret) if secret else made


def link(world: World, role: Role | None, tenant: Tenant | None = None) -> str:
    """Return the path of a fresh one-time link."""
    organisation = tenant.organisation if tenant is not None else None
    code, _ = world.application.entry_codes.offer(SYSTEM, role=role, organisation=organisation)
    return f"/enter?code={code}"


def form_of(text: str, action: str) -> dict[str, str]:
    """Return the fields of the form that goes to an address, filled as the page shows them."""
    found = re.search(rf'<form[^>]*action="/portal{re.escape(action)}(?:#[^"]*)?"[^>]*>(.*?)</form>', text, re.DOTALL)
    assert found, f"no form goes to {action}"
    fields = {}
    for tag in re.findall(r"<input[^>]*>", found[1]):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name:
            fields[name[1]] = html.unescape(value[1]) if value else ""
    for name, options in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', found[1], re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options) or re.search(r'<option value="([^"]*)"', options)
        fields[name] = html.unescape(chosen[1]) if chosen else ""
    return fields
