"""A whole factory behind its API: the real application on a memory store, with an engine that does as it is told."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.testclient import TestClient

from eisbach.adapters.archive_check import check_archive
from eisbach.adapters.archives import ArchiveFolder
from eisbach.adapters.catalogues import Catalogues
from eisbach.adapters.cedar import CedarAuthoriser
from eisbach.adapters.clocks import ManualClock
from eisbach.adapters.identifiers import SeededIds
from eisbach.adapters.object_folders import ObjectFolders
from eisbach.adapters.packages import PackageFolder
from eisbach.adapters.promise_file import SHIPPED, read_promise_file
from eisbach.adapters.secret_files import SecretFolder
from eisbach.adapters.signing import Ed25519Signer
from eisbach.adapters.template_library import TemplateLibrary
from eisbach.adapters.xrechnung import XRechnungFolder
from eisbach.api.server import create_app
from eisbach.app import issue_token, promise_register
from eisbach.app.announce_data_set import DataLimits
from eisbach.app.application import Application, FacePorts, Keepers
from eisbach.app.commands import SYSTEM
from eisbach.app.invoice_office import InvoiceOffice
from eisbach.app.open_factory import open_factory
from eisbach.app.site_facts import NodeFacts, SiteFacts, TariffFacts
from eisbach.core.vocabulary.quantities import DAY_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.ports.engine import Artifact, Ending, LogLine, Observation, StartOrder, StopOrder
from eisbach.stores.memory import MemoryStore
from tests.app.factory import SELLER, VAT_RATES

CHUNK_BYTES = 100_000
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {**TUS, "Content-Type": "application/offset+octet-stream"}
EURO = 1_000_000
NODE = "node-a"
PERIOD = "2026-05"
"""The month in which the clock of these tests starts."""
TARIFF = TariffFacts(
    version="test-1", label="prices for tests", core_hour=40_000, memory_gib_hour=5_000, gpu_hour={}, spot_permille=500
)
SITE = SiteFacts(
    site="here",
    country="DE",
    operator="Nobody GmbH",
    operator_country="DE",
    nodes=(NodeFacts(node=NODE, pool="cpu", flavour="cpu", cpu_milli=64_000, memory_mib=65_536),),
)


class ToldEngine:
    """An engine without processes: tests say when attempts run, write and end."""

    def __init__(self) -> None:
        self.orders: dict[str, StartOrder] = {}
        self.ordered = threading.Condition()
        self.seen: dict[str, Observation] = {}
        self.lines: dict[str, list[LogLine]] = {}
        self.kept: dict[str, dict[str, bytes]] = {}
        self._callbacks = []

    def start(self, order: StartOrder) -> None:
        with self.ordered:
            self.orders.setdefault(order.attempt_id, order)
            self.ordered.notify_all()

    def stop(self, order: StopOrder) -> None:
        pass

    def observe(self) -> Sequence[Observation]:
        return [self.seen[attempt] for attempt in sorted(self.seen)]

    def recover(self) -> None:
        pass

    def subscribe(self, callback) -> None:
        self._callbacks.append(callback)

    def forget(self, attempt_id: str) -> None:
        self.seen.pop(attempt_id, None)

    def close(self) -> None:
        pass

    def read_log(self, attempt_id: str, offset: int = 0, lines_max: int = 1000) -> tuple[Sequence[LogLine], int]:
        lines = self.lines.get(attempt_id, [])
        found = lines[offset : offset + lines_max]
        return found, offset + len(found)

    def artifacts(self, attempt_id: str) -> Sequence[Artifact]:
        files = self.kept.get(attempt_id, {})
        return [Artifact(path, len(files[path]), hashlib.sha256(files[path]).hexdigest()) for path in sorted(files)]

    def read_artifact(self, attempt_id: str, path: str) -> Iterator[bytes]:
        yield self.kept[attempt_id][path]

    # What tests say.

    def attempt_of(self, job: str) -> str:
        """Return the newest attempt the engine was told to start for a job; wait for it."""
        with self.ordered:
            found: list[str] = []

            def is_there() -> bool:
                found[:] = sorted(order.attempt_id for order in self.orders.values() if order.job_id == job)
                return bool(found)

            assert self.ordered.wait_for(is_there, timeout=10), f"no attempt of {job} was started"
            return found[-1]

    def say(self, attempt: str, *texts: str) -> None:
        lines = self.lines.setdefault(attempt, [])
        for text in texts:
            lines.append(LogLine(len(lines), 1_780_000_000_000 + len(lines), 0, "stdout", text))

    def run(self, attempt: str, since_ms: int) -> None:
        self._tell(Observation(attempt_id=attempt, running_since_ms=since_ms, held_ms=0))

    def end(self, attempt: str, since_ms: int, held_ms: int, ending: Ending = Ending.EXITED, exit_code: int = 0) -> None:
        self._tell(
            Observation(
                attempt_id=attempt,
                running_since_ms=since_ms,
                held_ms=held_ms,
                ending=ending,
                ended_at_ms=since_ms + held_ms,
                exit_code=exit_code,
                rank=0 if exit_code else None,
            )
        )

    def _tell(self, seen: Observation) -> None:
        self.seen[seen.attempt_id] = seen
        for callback in self._callbacks:
            callback(seen)


class CheckedArchives(ArchiveFolder):
    """The folder of archives with its check, as the live factory has it."""

    def check(self, path: Path) -> Refusal | None:
        found = check_archive(path)
        return found if isinstance(found, Refusal) else None


def tar_of(text: str) -> bytes:
    """Return a tar archive with one file that holds this text."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("file.txt")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


@dataclass
class Tenant:
    """What one customer has: an organisation, a project, tokens by role, a job that ran, another that waits."""

    organisation: str = ""
    project: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    token_ids: dict[str, str] = field(default_factory=dict)
    ended_job: str = ""
    attempt: str = ""
    running_job: str = ""
    node: str = NODE
    site: str = "here"
    secret: str = "API_KEY"
    archive: str = ""
    invoice: str = ""
    data_set: str = ""
    upload: str = ""
    deleted_data_set: str = ""
    booking: str = ""
    option: str = ""


@dataclass
class World:
    """A factory with two customers who must not see each other."""

    application: Application
    engine: ToldEngine
    clock: ManualClock
    client: TestClient
    operator: str
    tokens: dict[str, str] = field(default_factory=dict)
    ours: Tenant = field(default_factory=Tenant)
    theirs: Tenant = field(default_factory=Tenant)

    def call(self, method: str, path: str, token: str | None = None, **more):
        """Send a request with a token."""
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self.client.request(method, path, headers=headers, **more)

    def made(self, method: str, path: str, token: str, **more):
        """Send a request that must succeed and return its JSON."""
        answer = self.call(method, path, token, **more)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def submit(self, tenant: Tenant, **task) -> str:
        """Submit a job as the tenant's member and return its id."""
        body = {"task": {"run": "true", "time_limit": "10m", **task}}
        return self.made("POST", f"/v1/projects/{tenant.project}/jobs", tenant.tokens["member"], json=body)["job"]

    def settle(self) -> None:
        """Wait until everything that was told to the application has been decided."""
        self.application.ask(lambda state, now: None).result(timeout=10)


def make_world(folder: Path, seed: int = 7) -> World:
    """Return an open factory with two customers; another seed gives other ids."""
    engine, clock = ToldEngine(), ManualClock()
    application = Application(
        store=MemoryStore(),
        engine=engine,
        clock=clock,
        ids=SeededIds(seed),
        signer=Ed25519Signer("factory.test/log", Ed25519PrivateKey.generate()),
        faces=FacePorts(authoriser=CedarAuthoriser(), translator=Catalogues(), templates=TemplateLibrary()),
        keepers=Keepers(
            archives=CheckedArchives(folder / "archives"),
            secrets=SecretFolder(folder / "secrets"),
            objects=ObjectFolders(folder / "objects", CHUNK_BYTES),
            data_limits=DataLimits(project_bytes_max=4_000_000, file_bytes_max=3_000_000),
        ),
        isolation="none: a test",
    )
    application.office = InvoiceOffice(SELLER, VAT_RATES, XRechnungFolder(folder / "invoices"))
    application.packages = PackageFolder(folder / "imports")
    application.start()
    open_factory(application, origin="factory.test/log", software="test", sites=[SITE], prices=[TARIFF])
    application.perform(promise_register.command(read_promise_file(SHIPPED))).result()
    issue = issue_token.command(SYSTEM, role="operator", label="first", lifetime_ms=300 * DAY_MS)
    operator = application.perform(issue).result(timeout=10)["secret"]
    world = World(application, engine, clock, TestClient(create_app(application)), operator)
    world.tokens["auditor"] = world.made("POST", "/v1/tokens", operator, json={"role": "auditor"})["secret"]
    world.tokens["operator"] = operator
    for tenant, name in ((world.ours, "Ours"), (world.theirs, "Theirs")):
        furnish(world, tenant, name)
    add_invalid_tokens(world)
    return world


def furnish(world: World, tenant: Tenant, name: str) -> None:
    """Give a tenant everything a tenant can have."""
    operator = world.operator
    tenant.organisation = world.made("POST", "/v1/organisations", operator, json={"name": name})["organisation"]
    body = {"name": "work", "organisation": tenant.organisation, "budget_micro_eur": 100 * EURO}
    tenant.project = world.made("POST", "/v1/projects", operator, json=body)["project"]
    for role in ("admin", "member", "viewer"):
        bound = {"organisation": tenant.organisation} if role == "admin" else {"project": tenant.project}
        made = world.made("POST", "/v1/tokens", operator, json={"role": role, "label": role, **bound})
        tenant.tokens[role], tenant.token_ids[role] = made["secret"], made["token"]
    tenant.tokens |= world.tokens
    member = tenant.tokens["member"]
    world.made("PUT", f"/v1/projects/{tenant.project}/secrets/{tenant.secret}", member, json={"value": "s3cret"})
    upload = world.made("POST", f"/v1/projects/{tenant.project}/archives", member, content=tar_of(name))
    tenant.archive = upload["archive"]
    tenant.data_set, tenant.upload = begin_upload(world, tenant, b"abc"), begin_upload(world, tenant, b"abcdef")
    tenant.deleted_data_set = begin_upload(world, tenant, b"abc")
    for data_set in (tenant.data_set, tenant.deleted_data_set):
        world.call("PATCH", f"/v1/uploads/{data_set}", member, content=b"abc", headers={**PIECE, "Upload-Offset": "0"})
    world.made("DELETE", f"/v1/data/{tenant.deleted_data_set}", member)
    tenant.ended_job = world.submit(tenant, name="ended", outputs=["model"])
    tenant.attempt = world.engine.attempt_of(tenant.ended_job)
    world.engine.say(tenant.attempt, "one", "two", "three")
    world.engine.kept[tenant.attempt] = {"0/model/weights.bin": b"\x00\x01" * 50_000, "0/model/a b.txt": b"hello"}
    run_through(world, tenant.attempt)
    bill(world, tenant, name)
    book(world, tenant)
    tenant.running_job = world.submit(tenant, name="running")
    world.engine.run(world.engine.attempt_of(tenant.running_job), world.clock.now())
    world.settle()


def book(world: World, tenant: Tenant) -> None:
    """Book a node in the next month, and leave an option of another quote open."""
    path, member = f"/v1/projects/{tenant.project}", tenant.tokens["member"]
    day = "2026-06-15" if tenant is world.ours else "2026-06-20"
    body = {"flavour": "cpu", "nodes": 1, "length_ms": 10 * MINUTE_MS, "from_at": f"{day}T00:00:00Z"}
    options = world.made("POST", f"{path}/quotes", member, json=body)["options"]
    tenant.booking = world.made("POST", f"{path}/bookings", member, json={"option": options[0]["option"]})["booking"]
    options = world.made("POST", f"{path}/quotes", member, json=body)["options"]
    tenant.option = options[1]["option"]


def run_through(world: World, attempt: str) -> None:
    """Let an attempt run for a minute and end well."""
    since = world.clock.now()
    world.engine.run(attempt, since)
    world.clock.advance(MINUTE_MS)
    world.engine.end(attempt, since, MINUTE_MS)
    world.settle()


def bill(world: World, tenant: Tenant, name: str) -> None:
    """Say whom invoices go to, and issue the first one."""
    path = f"/v1/organisations/{tenant.organisation}"
    world.made("PUT", f"{path}/billing", tenant.tokens["admin"], json=an_address(name))
    tenant.invoice = world.made("POST", f"{path}/invoices", world.operator, json={"period": PERIOD})["invoice"]


def an_address(name: str) -> dict[str, str]:
    """Complete billing details."""
    place = {"street": "Weg 1", "postcode": "80538", "city": "München", "country": "DE"}
    return {"name": f"{name} GmbH", **place, "electronic_address": f"bills@{name.lower()}.example"}


def begin_upload(world: World, tenant: Tenant, content: bytes) -> str:
    """Announce a file as the tenant's member and return the data set's id."""
    headers = {**TUS, "Upload-Length": str(len(content)), "Upload-Metadata": "filename YWJjLnR4dA=="}
    path = f"/v1/projects/{tenant.project}/uploads"
    return world.made("POST", path, tenant.tokens["member"], headers=headers)["data_set"]


def add_invalid_tokens(world: World) -> None:
    """Add tokens that were valid once."""
    operator = world.operator
    revoked = world.made("POST", "/v1/tokens", operator, json={"role": "operator"})
    world.made("DELETE", f"/v1/tokens/{revoked['token']}", operator)
    brief = world.made("POST", "/v1/tokens", operator, json={"role": "operator", "lifetime_ms": MINUTE_MS})
    world.clock.advance(2 * MINUTE_MS)
    world.tokens |= {"revoked": revoked["secret"], "expired": brief["secret"], "wrong": "eis_" + "0" * 43}
