"""A real browser over a test's portal: what it logs, what it asks for, and what axe-core finds."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from eisbach.api.serving import ApiServer, bind
from eisbach.cli.joined import Joined
from eisbach.portal.server import create_portal
from tests.faces.factory_world import World

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome")
WAIT_MS = 60_000
"""How long a busy machine may take for a page or a figure."""
EXPECTED = "Failed to load resource: the server responded with a status of 4"
"""What a browser says of each page that refuses something."""


def chromium_path() -> str:
    """Return the system's Chromium; skip where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no chromium on this machine (apt-get install chromium)")
    return found


@contextmanager
def served(world: World) -> Iterator[str]:
    """Serve a world's API and portal on a port of its own and yield the address."""
    portal = create_portal(world.application)
    ready = threading.Event()
    bound = bind("127.0.0.1", 0)
    server = ApiServer(Joined(world.client.app, portal), lambda host, port: ready.set(), portal.state.host.close_streams)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    assert ready.wait(20)
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        bound.close()
        assert not thread.is_alive()


@dataclass
class Watched:
    """A page that is watched: everything it complains about, and every address it asks for."""

    page: object
    address: str
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(WAIT_MS)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, path: str) -> None:
        """Open a page of the portal."""
        self.page.goto(f"{self.address}/portal{path}")

    def check(self) -> None:
        """Assert that the page is accessible, fits, complained about nothing and asked nobody else."""
        expect(self.page.locator("[data-plot]:not(.js-plotly-plot)")).to_have_count(0, timeout=WAIT_MS)
        where = self.page.url.removeprefix(self.address)
        found = Axe().run(self.page).response["violations"]
        told = [f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}" for one in found]
        assert not told, f"{where}:\n" + "\n".join(told)
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{where} is {wide} pixels too wide"
        assert not self.complaints, f"{where}: {self.complaints}"
        strangers = {url for url in self.asked if urlsplit(url).netloc != urlsplit(self.address).netloc and not url.startswith("data:")}
        assert not strangers, f"{where} asked {strangers}"

    def _console(self, message: object) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(EXPECTED):
            self.complaints.append(f"{message.type}: {message.text}")
