"""What the scenes of the shop window share: the visitor of the portal, the customer, and what is known so far."""

import json
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from story.browser import Browser, Visit
from story.checks import StepFailed
from story.stage import FactoryStage

ORGANISATION = "Example Waterworks"
PROJECT = "leak-watch"
BUDGET_EUR = "250"
WAIT_S = 90.0
"""For a job of some seconds on a machine that does other things too."""

Json = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class WindowStage(FactoryStage):
    """Everything that one scene leaves for the next."""

    visitor: Browser
    url: str = ""
    sign_up_link: str = ""
    operator_link: str = ""
    organisation: str = ""
    streaming_job: str = ""
    simulated_job: str = ""
    own_data: str = ""
    figures: Json = field(default_factory=dict)

    def page(self, path: str) -> Visit:
        """Open a page of the portal and show that it was opened."""
        visit = self.visitor.open(f"{self.url}/portal{path}")
        self.shell.show_command(f"[portal] {path}  ({visit.status}, {visit.language})")
        if visit.status != 200:
            raise StepFailed(f"the page {path} answers {visit.status}: {visit.text[:300]}")
        return visit

    def job_id_in(self, text: str) -> str:
        """Return the first id of a job in a text; raise StepFailed."""
        found = re.search(r"job_\w+", text)
        if found is None:
            raise StepFailed(f"no job is named here: {text[:200]}")
        return found[0]

    def wait_for(self, job: str, *states: str) -> Json:
        """Return the job as soon as it is in one of these states; raise StepFailed when it takes too long."""
        deadline = time.monotonic() + WAIT_S
        while True:
            status, found = self.call("GET", f"/v1/jobs/{job}")
            if status == 200 and found["state"] in states:
                return found
            if status != 200 or found["state"] == "ended" or time.monotonic() > deadline:
                raise StepFailed(f"the job {job} is {found.get('state', status)} {found.get('reason', '')}, expected {' or '.join(states)}")
            time.sleep(0.2)

    def call(self, method: str, path: str, body: Json | None = None, language: str = "en") -> tuple[int, Json]:
        """Call the API with the token that commands use now; return the status and the answer, refusals too."""
        token = self.shell.environment.get("EISBACH_TOKEN") or (self.home / "operator.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Accept-Language": language}
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self.url + path, content, headers, method=method)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
