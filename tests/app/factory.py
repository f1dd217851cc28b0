"""A factory in memory on a clock that only moves when told: what the application's tests work with."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eisbach.adapters.catalogues import Catalogues
from eisbach.adapters.clocks import ManualClock
from eisbach.adapters.identifiers import SeededIds
from eisbach.adapters.object_folders import ObjectFolders
from eisbach.adapters.packages import PackageFolder
from eisbach.adapters.signing import create_key_file
from eisbach.adapters.template_library import TemplateLibrary
from eisbach.adapters.xrechnung import XRechnungFolder
from eisbach.app import create_organisation, create_project, submit_job
from eisbach.app.announce_data_set import DataLimits
from eisbach.app.application import Application, FacePorts, Keepers
from eisbach.app.commands import SYSTEM
from eisbach.app.invoice_office import InvoiceOffice
from eisbach.app.open_factory import open_factory
from eisbach.app.rounds import ROUNDS, Round, run_all
from eisbach.app.site_facts import NodeFacts, SiteFacts, TariffFacts
from eisbach.core.billing.parties import Seller
from eisbach.core.billing.vat import VatRate
from eisbach.core.jobs.request import CheckpointRule, JobSpec, NodeShape, RetryRule
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.engines.simulated import SimulatedEngine
from eisbach.ports.store import Store
from eisbach.stores.memory import MemoryStore

CHUNK_BYTES = 1000
ORIGIN = "eisbach.test/factory"
TARIFF = TariffFacts(
    version="test-1",
    label="test prices",
    core_hour=36_000,
    memory_gib_hour=3_600,
    gpu_hour={"h200": 3_600_000},
    spot_permille=500,
)


SELLER = Seller(
    name="Fabrik am Bach GmbH",
    street="Am Bach 1",
    postcode="80538",
    city="München",
    country="DE",
    vat_id="DE123456788",
    iban="DE02120300000000202051",
    contact_name="Rechnungsstelle",
    contact_phone="+49 89 123",
    contact_mail="rechnung@bach.example",
    electronic_address="rechnung@bach.example",
    payment_days=14,
)
VAT_RATES = (VatRate(country="DE", permille=190, valid_from_ms=0),)


class PermitAll:
    """An authoriser for tests that are not about access."""

    def decide(self, role: str, organisation: Any, project: Any, action: str, resource: Any) -> Any:
        raise AssertionError("the application itself asks no authoriser")


class NoArchives:
    """No working directories in these tests."""

    def path_of(self, archive_id: str) -> Path | None:
        return None


class DictSecrets:
    """Secrets in memory."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], str] = {}

    def put(self, project: str, name: str, value: str) -> None:
        self.values[project, name] = value

    def get(self, project: str, name: str) -> str | None:
        return self.values.get((project, name))

    def remove(self, project: str, name: str) -> bool:
        return self.values.pop((project, name), None) is not None

    def names(self, project: str) -> list[str]:
        return sorted(name for owner, name in self.values if owner == project)


def a_site(*nodes: NodeFacts, simulated: bool = True) -> SiteFacts:
    """A site of the given nodes, by default one of 8 cores and 16 GiB."""
    some = nodes or (NodeFacts(node="n1", pool="p", flavour="cpu", cpu_milli=8000, memory_mib=16384),)
    return SiteFacts(
        site="here", country="DE", operator="Test", operator_country="DE", nodes=some, is_simulated=simulated
    )


def a_job(
    run: str = "sleep 10",
    *,
    nodes: int = 1,
    cpus: float = 1,
    memory_mib: int = 1024,
    gpus: int = 0,
    flavour: str | None = None,
    limit_s: float = 3600,
    grace_s: float = 0,
    attempts: int = 1,
    name: str = "job",
    **more: Any,
) -> JobSpec:
    """A job in domain words."""
    shape = NodeShape(cpu_milli=round(cpus * 1000), memory_mib=memory_mib, gpus=gpus, flavour=flavour)
    return JobSpec(
        name=name,
        nodes=nodes,
        shapes=(shape,),
        run=run,
        time_limit_ms=round(limit_s * 1000),
        checkpoint=CheckpointRule(grace_ms=round(grace_s * 1000)),
        retry=RetryRule(max_attempts=attempts),
        **more,
    )


@dataclass
class Factory:
    """An application run inline on a manual clock, with one project ready."""

    store: Store
    clock: ManualClock
    engine: SimulatedEngine
    app: Application
    folder: Path
    secrets: DictSecrets
    project: str = ""
    site: SiteFacts = field(default_factory=a_site)
    tariff: Sequence[TariffFacts] = (TARIFF,)
    seed: int = 1

    def settle(self) -> None:
        """Decide and tell until nothing is due at this instant."""
        for _ in range(1000):
            self.engine.advance()
            self.app.applier.drain()
            if not self.app.teller.send_due():
                return
        raise AssertionError("the factory does not come to rest")

    def perform(self, command: Any, key: Any = None) -> Any:
        """Perform a command and come to rest; return the answer."""
        future = self.app.perform(command, key)
        self.settle()
        return future.result(timeout=0)

    def ask(self, question: Any) -> Any:
        """Return what a question answers."""
        future = self.app.ask(question)
        self.app.applier.drain()
        return future.result(timeout=0)

    def run_rounds(self, *rounds: Round) -> None:
        """Run the periodic rounds once, inline: whatever they ask or order is decided at once."""
        app, applier = self.app, self.app.applier

        def at_once(hand_over: Any) -> Any:
            def call(*arguments: Any) -> Any:
                future = hand_over(*arguments)
                applier.drain()
                return future

            return call

        names = ("perform", "ask", "sign_head")
        for name in names:
            setattr(app, name, at_once(getattr(applier, name)))
        try:
            run_all(app, rounds or ROUNDS)
        finally:
            for name in names:
                delattr(app, name)
        self.settle()

    def call(self, use_case: Any) -> Any:
        """Return what a use case answers that hands commands over itself; `use_case` takes the application."""
        answers: list[Any] = []
        self.run_rounds(Round("call", 1, lambda app: answers.append(use_case(app))))
        return answers[0]

    def restart(self, *, crash: bool = True, site: SiteFacts | None = None, tariff: TariffFacts | Sequence[TariffFacts] | None = None) -> "Factory":
        """Return the factory as a new process opens it on the same store and engine."""
        if crash:
            self.engine.close()
        else:
            self.app.stop()
        self.seed += 1000
        prices = (tariff,) if isinstance(tariff, TariffFacts) else tariff or self.tariff
        again = reopen(
            self.folder, self.store, self.clock, self.engine, site or self.site, self.seed, prices, self.secrets
        )
        again.project = self.project
        again.settle()
        return again

    def submit(self, spec: JobSpec, project: str | None = None, key: Any = None) -> str:
        """Submit a job and return its id."""
        answer = self.perform(submit_job.command(SYSTEM, project=project or self.project, spec=spec), key)
        assert not isinstance(answer, Refusal), str(answer)
        return str(answer["job"])

    def pass_time(self, milliseconds: int) -> None:
        """Let time pass, stopping at each instant at which something is due."""
        end = self.clock.now() + milliseconds
        while True:
            due = [at for at in (self.engine.next_instant(), self.app.applier.state.scheduler.next_instant()) if at]
            soonest = min(due, default=end)
            step = max(0, min(soonest, end) - self.clock.now())
            self.clock.advance(step)
            self.settle()
            if self.clock.now() >= end:
                return

    def job(self, job: str) -> dict[str, Any]:
        """Return a job's row."""
        row = self.app.reader.row("jobs", job)
        assert row is not None
        return dict(row)

    def attempts(self, job: str) -> list[dict[str, Any]]:
        """Return a job's attempts, first to last."""
        rows = self.app.reader.rows("attempts", {"job": job}, limit=1000).rows
        return sorted((dict(row) for row in rows), key=lambda row: row["number"])


def new_factory(
    folder: Path,
    *,
    store: Store | None = None,
    site: SiteFacts | None = None,
    budget_eur: int = 1000,
    seed: int = 1,
    start_ms: int = 0,
    engine_type: type[SimulatedEngine] = SimulatedEngine,
) -> Factory:
    """Open a factory with one organisation and one project; `start_ms` is what its engine needs to start work."""
    clock = ManualClock()
    engine = engine_type(clock, start_ms=start_ms)
    factory = reopen(folder, store or MemoryStore(), clock, engine, site or a_site(), seed)
    org = factory.perform(create_organisation.command(SYSTEM, name="Org"))["organisation"]
    made = factory.perform(
        create_project.command(SYSTEM, organisation=org, name="project", budget_micro_eur=budget_eur * EURO)
    )
    factory.project = made["project"]
    return factory


def reopen(
    folder: Path,
    store: Store,
    clock: ManualClock,
    engine: SimulatedEngine,
    site: SiteFacts,
    seed: int = 2,
    tariff: Sequence[TariffFacts] = (TARIFF,),
    secrets: DictSecrets | None = None,
) -> Factory:
    """Open an application on what a store and an engine hold, as a restart does."""
    kept = secrets if secrets is not None else DictSecrets()
    app = Application(
        store=store,
        engine=engine,
        clock=clock,
        ids=SeededIds(seed),
        signer=create_key_file(folder / f"key-{seed}", ORIGIN),
        faces=FacePorts(authoriser=PermitAll(), translator=Catalogues(), templates=TemplateLibrary()),
        keepers=Keepers(
            archives=NoArchives(),  # type: ignore[arg-type]
            secrets=kept,
            objects=ObjectFolders(folder / "objects", CHUNK_BYTES),
            data_limits=DataLimits(project_bytes_max=100_000, file_bytes_max=50_000),
        ),
    )
    app.office = InvoiceOffice(SELLER, VAT_RATES, XRechnungFolder(folder / "invoices"))
    app.packages = PackageFolder(folder / "imports")
    factory = Factory(
        store=store, clock=clock, engine=engine, app=app, folder=folder, secrets=kept, site=site, tariff=tariff, seed=seed
    )
    _open(factory)
    return factory


def _open(factory: Factory) -> None:
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(
            open_factory, factory.app, origin=ORIGIN, software="test", sites=[factory.site], prices=factory.tariff
        )
        while not done.done():
            if factory.app.applier.has_waiting:  # not before it asked: a test may kill the very first batch
                factory.app.applier.drain()
        done.result()
