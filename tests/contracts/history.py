"""Histories for tests of stores: batches of true events that follow one another, as the applier writes them."""

from base64 import b64encode
from hashlib import sha256

from eisbach.app import events as e
from eisbach.app.event_codec import seal
from eisbach.app.merge_rows import merge_rows
from eisbach.app.projections import rows_of, subjects_of
from eisbach.core.ledger import account
from eisbach.core.log.tree import Frontier
from eisbach.ports.store import Batch, Reply, Text, TreeNode

PERIOD = "2025-07"
START_MS = 1_751_400_000_000
SPEC = b'{"run":"python train.py"}' * 20


class History:
    """What a factory lived through; each method returns the batch of what happened next."""

    def __init__(self, project: str = "prj_01a") -> None:
        self.frontier = Frontier()
        self.seq = 0
        self.project = project

    def founding(self) -> Batch:
        """An organisation, a project with a budget, a token, a tariff, a site with a node."""
        batch = Batch()
        org, token = "org_01a", "tok_01a"
        self._add(batch, e.FactoryOpened(origin="factory.example", software="1"))
        self._add(
            batch, e.SiteDeclared(site="muc", country="DE", operator="Isar", operator_country="DE", simulated=True)
        )
        node = e.NodeDeclared(
            node="n1", pool="p", site="muc", flavour="h200.8", cpu_milli=64_000, memory_mib=512, gpus=8
        )
        self._add(batch, node)
        self._add(batch, e.NodeDrained(node="n1", drained=True, by=token))
        self._add(batch, _tariff())
        name = self._text(batch, f"{org}/name", "Münchner Modelle")
        self._add(batch, e.OrganisationCreated(organisation=org, parent=None, name=name, segment="start-up", by=token))
        name = self._text(batch, f"{self.project}/name", "Sprache")
        self._add(batch, e.ProjectCreated(project=self.project, organisation=org, name=name, budget=10**9, by=token))
        label = self._text(batch, f"{token}/label", "Annas Laptop")
        self._add(batch, _token(token, self.project, label))
        self._add(batch, e.TokenRevoked(token=token, by=token))
        self._add(batch, e.ArchiveReceived(project=self.project, archive="ab" * 32, size=5, by=token))
        grant = (account.ISSUANCE, account.available(self.project, PERIOD), 10**9, "grant")
        self._add(batch, e.PeriodOpened(project=self.project, period=PERIOD, transfers=(grant,)))
        return batch

    def submitted(self, *jobs: str) -> Batch:
        """Jobs that wait, each with its cap reserved, its texts and its reply."""
        batch = Batch()
        for job in jobs:
            spec = self._text(batch, f"{job}/spec", SPEC.decode())
            self._text(batch, f"{job}/name", "train")
            self._add(batch, _job(job, self.project, spec, self._move("available", "reserved", 1000, "reserve")))
            batch.replies.append(Reply(self.project, f"key-{job}", "d" * 64, START_MS, 201, b'{"job":"..."}'))
        return batch

    def ran(self, job: str) -> Batch:
        """A job's only attempt, from its plan to its end."""
        batch = Batch()
        attempt = job.replace("job", "att")
        tasks = ((0, "n1", 1000, 1024, (0,)), (1, "n2", 1000, 1024, ()))
        planned = e.AttemptPlanned(attempt=attempt, job=job, number=1, shape=0, tasks=tasks, limit_ms=9, epoch=1)
        self._add(batch, planned)
        self._add(batch, e.AttemptRunning(attempt=attempt, job=job, since_ms=START_MS + 1, job_since_ms=START_MS + 1))
        charge = self._move("reserved", "charged", 600, "settle")
        settled = e.UsageSettled(
            attempt=attempt, job=job, held_ms=60, charged_ms=60, charged=600, job_charged=600, job_charged_ms=60,
            period=PERIOD, next_period=PERIOD, transfers=charge,
        )  # fmt: skip
        self._add(batch, settled)
        self._add(batch, _ended(attempt, job, self._move("reserved", "available", 400, "void")))
        return batch

    def headed(self, batch: Batch) -> Batch:
        """The same batch with a head over all events so far."""
        root = b64encode(self.frontier.root()).decode()
        batch.head = (self.seq, f"factory.example\n{self.seq}\n{root}\n\n\u2014 factory.example AAAAAAAA\n")
        return batch

    def _move(self, debit: str, credit: str, amount: int, kind: str) -> tuple[tuple[str, str, int, str], ...]:
        place = f"{self.project}/{PERIOD}"
        return ((f"{place}/{debit}", f"{place}/{credit}", amount, kind),)

    def _text(self, batch: Batch, text_id: str, content: str) -> str:
        text = Text(text_id, b"salt of " + text_id.encode(), content.encode())
        batch.texts.append(text)
        return sha256(text.salt + text.content).hexdigest()

    def _add(self, batch: Batch, body: e.Body) -> None:
        sealed = seal(self.seq, START_MS + self.seq, body, b"%016d" % self.seq)
        texts = {text.id: text.content.decode() for text in batch.texts}
        batch.events.append(sealed)
        merge_rows(batch, rows_of(self.seq, sealed.at_ms, body, texts))
        batch.tree_nodes += [TreeNode(*node) for node in self.frontier.append(sealed.leaf)]
        batch.subjects += [(subject, self.seq) for subject in subjects_of(body)]
        self.seq += 1


def everything(jobs: int = 5) -> list[Batch]:
    """Batches that touch every table: a founding, jobs that wait, jobs that ran, heads, a snapshot."""
    history = History()
    names = [f"job_{number:04d}" for number in range(jobs)]
    batches = [history.founding(), history.headed(history.submitted(*names))]
    batches += [history.headed(history.ran(name)) for name in names[: jobs // 2]]
    batches[-1].snapshot = (history.seq - 1, b"state")
    return batches


def _tariff() -> e.TariffPublished:
    return e.TariffPublished(
        version="2025-01",
        label="Tarif 2025",
        valid_from_ms=START_MS,
        core_hour=1,
        memory_gib_hour=1,
        gpu_hour={"h200.8": 9},
    )


def _token(token: str, project: str, label: str) -> e.TokenIssued:
    return e.TokenIssued(
        token=token, role="member", organisation=None, project=project, digest="ab" * 32, expires_ms=START_MS * 2,
        label=label, by=token,
    )  # fmt: skip


def _job(job: str, project: str, spec: str, transfers: tuple[tuple[str, str, int, str], ...]) -> e.JobSubmitted:
    return e.JobSubmitted(
        job=job, project=project, spec=spec, capacity_class="on-demand", nodes=2, shapes=((1000, 1024, 1, "h200.8"),),
        prices=(5,), tariff="2025-01", limit_ms=100, grace_ms=1, attempts_max=1, cap=1000, funded=True, period=PERIOD,
        by="tok_01a", transfers=transfers,
    )  # fmt: skip


def _ended(attempt: str, job: str, transfers: tuple[tuple[str, str, int, str], ...]) -> e.AttemptEnded:
    return e.AttemptEnded(
        attempt=attempt, job=job, ending="exited", outcome="succeeded", fault="customer", reason="", held_ms=60,
        charged_ms=60, charged=600, job_charged=600, job_charged_ms=60, exit_code=0, rank=None,
        running_since_ms=START_MS + 1, ended_ms=START_MS + 61, cpu_ms=50, memory_peak_mib=7, memory_is_polled=True,
        log_bytes=0, detail="", next="ended", job_outcome="succeeded", transfers=transfers,
    )  # fmt: skip
