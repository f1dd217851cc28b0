"""What tests ask about jobs: why one waits, what it would cost, where it is."""

from eisbach.app import explain_job, quote_job
from eisbach.app.commands import SYSTEM
from eisbach.core.vocabulary.quantities import SECOND_MS
from tests.app.factory import a_job

CORE_HOUR = 36_000 + 3_600  # micro-euro: a core and a GiB for an hour, by the tests' price list


def why(factory, job):
    return factory.ask(explain_job.question(job=job))


def quote(factory, spec, project=None):
    return factory.ask(quote_job.question(project=project or factory.project, spec=spec, by=SYSTEM.token))


def state_of(factory, job):
    row = factory.job(job)
    return (row["state"], row["outcome"])


def lose(factory, job):
    factory.engine.lose(str(factory.app.applier.state.scheduler.jobs[job].attempt))
    factory.settle()


def thrown_back_twice(factory):
    job = factory.submit(a_job("sleep 600"))
    for _ in range(2):
        factory.pass_time(60 * SECOND_MS)
        lose(factory, job)
    return job
