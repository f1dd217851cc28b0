"""A planned attempt becomes an order for the engine."""


import msgspec

from eisbach.app.state import FactoryState
from eisbach.app.state_data import Stage
from eisbach.core.admission.state import ActiveJob
from eisbach.core.jobs.frozen_spec import spec_from_mapping
from eisbach.core.jobs.request import JobSpec
from eisbach.core.vocabulary.invariant import require
from eisbach.ports.archives import Archives
from eisbach.ports.engine import DataOrder, Ending, Observation, StartOrder, StopOrder, TaskOrder
from eisbach.ports.objects import Objects, Shelf
from eisbach.ports.secrets import Secrets
from eisbach.ports.store import Reader


class AttemptSources(msgspec.Struct, frozen=True):
    """Where an order's parts come from that do not stand in the state."""

    reader: Reader
    archives: Archives
    secrets: Secrets
    objects: Objects


def order_facts(state: FactoryState, job: ActiveJob, epoch: int) -> StartOrder:
    """Return the part of an order that stands in the state; what the tenant wrote is filled in by `complete`."""
    tasks = tuple(
        TaskOrder(
            rank=share.rank,
            node_id=share.node,
            cpu_milli=share.cpu_milli,
            memory_mib=share.memory_mib,
            gpu_indices=share.gpus,
            gpu_milli=share.gpu_milli,
            mig=share.mig,
            slot=share.slot,
        )
        for share in job.shares
    )
    return StartOrder(
        attempt_id=str(job.attempt),
        attempt_number=job.attempts,
        job_id=job.job,
        job_name="",
        project_id=job.project,
        epoch=epoch,
        tasks=tasks,
        run="",
        limit_ms=job.remaining_ms,
        grace_ms=job.grace_ms,
    )


def stop_order(job: ActiveJob, epoch: int, now: int) -> StopOrder | None:
    """Return the order that stops an attempt after what is left of its notice, or None where it is not to be stopped."""
    if job.stop_cause is None or job.attempt is None or job.signal_ms is None:
        return None
    return StopOrder(
        attempt_id=job.attempt,
        epoch=epoch,
        cause=job.stop_cause,
        grace_ms=job.stop_grace_ms,
        notice_ms=max(0, job.signal_ms - now),
    )


def complete(sources: AttemptSources, facts: StartOrder) -> StartOrder | Observation:
    """Return the whole order, or the observation that it can never start (its text, archive or secret is gone)."""
    spec = read_spec(sources.reader, facts.job_id)
    if spec is None:
        return _refused(facts, "the job's specification was erased")
    workdir = None
    if spec.workdir is not None:
        workdir = sources.archives.path_of(spec.workdir)
        if workdir is None:
            return _refused(facts, "the working directory's archive is no longer there")
    secrets: list[tuple[str, str]] = []
    for name in spec.secrets:
        value = sources.secrets.get(facts.project_id, name)
        if value is None:
            return _refused(facts, "a secret that the task names is not in the project")
        secrets.append((name, value))
    data = _data(sources, facts, spec)
    if data is None:
        return _refused(facts, "a data set that the task names was deleted")
    return StartOrder(
        attempt_id=facts.attempt_id,
        attempt_number=facts.attempt_number,
        job_id=facts.job_id,
        job_name=spec.name,
        project_id=facts.project_id,
        epoch=facts.epoch,
        tasks=facts.tasks,
        run=spec.run,
        setup=spec.setup,
        envs=spec.envs,
        secrets=tuple(secrets),
        data=data,
        workdir=workdir,
        outputs=spec.outputs,
        limit_ms=facts.limit_ms,
        grace_ms=facts.grace_ms,
        checkpoint_signal=spec.checkpoint.signal,
        checkpoint_path=spec.checkpoint.path,
    )


def _data(sources: AttemptSources, facts: StartOrder, spec: JobSpec) -> tuple[DataOrder, ...] | None:
    """Return the data sets of a task with the folders of their chunks, or None where one is gone."""
    orders: list[DataOrder] = []
    for name, data_set in spec.data:
        row = sources.reader.row("data_sets", data_set)
        if row is None or row["stage"] != Stage.READY.value:
            return None
        project = sources.reader.row("projects", facts.project_id)
        require(project is not None, "a job belongs to a project")
        assert project is not None
        folder = sources.objects.folder_of(Shelf(row["places"].split()[0], project["organisation"]), data_set)
        if folder is None:
            return None
        orders.append(
            DataOrder(
                name=name, file_name=row["name"], data_set=data_set, folder=folder, size=row["size"], manifest=row["manifest"]
            )
        )
    return tuple(orders)


def read_spec(reader: Reader, job: str) -> JobSpec | None:
    """Return the frozen specification of a job, or None where it was erased."""
    text = reader.text(f"{job}/spec")
    return spec_from_mapping(msgspec.json.decode(text.content)) if text is not None else None


def _refused(facts: StartOrder, why: str) -> Observation:
    return Observation(
        attempt_id=facts.attempt_id, running_since_ms=None, held_ms=0, ending=Ending.REFUSED, detail=why
    )
