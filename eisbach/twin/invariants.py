"""What must hold of a state at any moment, computed apart from the code that makes it so; each yields in words what does not."""

from collections import Counter
from collections.abc import Iterator

from eisbach.app import explain_job
from eisbach.app.places import all_places, rules_of_job
from eisbach.app.state import FactoryState
from eisbach.core.admission.cycle import decide
from eisbach.core.admission.state import SchedulerState
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.ledger.account import available, charged, may_be_negative, reserved
from eisbach.core.policy.rules import findings_of
from eisbach.core.scheduling.power import at_rest_mw, reckoned_mw
from eisbach.core.vocabulary.quantities import HOUR_MS, Instant
from eisbach.core.vocabulary.reasons import Reason
from eisbach.twin.books import Books


def of_state(state: FactoryState) -> Iterator[str]:
    """Yield what a state breaks, whether it is at rest or not."""
    yield from of_jobs(state)
    yield from of_power(state)
    yield from of_places(state)
    yield from of_money(state)


def of_jobs(state: FactoryState) -> Iterator[str]:
    """Yield jobs that hold a part of their gang, or hold what they should not (1 and 3), or of which something else is kept than follows (9)."""
    scheduler = state.scheduler
    for attempt, job in scheduler.holding.items():
        if job.attempt != attempt or [share.rank for share in job.shares] != list(range(job.nodes)):
            yield f"3: {attempt} does not hold its whole gang"
    for job in scheduler.jobs.values():
        if not ((job.attempt is None) == (job.state is JobState.WAITING) == (job.shares == ())):
            yield f"3: {job.job} is {job.state.value} with {job.attempt} and {len(job.shares)} shares"
        shape, left_ms = job.shapes[job.shape], max(0, job.limit_ms - job.used_ms)
        follows = (job.nodes * shape.gpus * shape.gpu_milli, left_ms, left_ms + job.grace_ms)
        if (job.gpu_milli, job.remaining_ms, job.length_ms) != follows:
            yield f"9: size and length of {job.job} are kept as {job.gpu_milli}, {job.remaining_ms}, {job.length_ms}; {follows} follow from its fields"
    if set(state.accounts) != set(scheduler.jobs):
        yield f"4: there are {len(state.accounts)} accounts of {len(scheduler.jobs)} jobs"


def of_power(state: FactoryState) -> Iterator[str]:
    """Yield sites where what stays draws more than the cap (7)."""
    scheduler = state.scheduler
    staying = [job.shares for job in scheduler.holding.values() if job.state is not JobState.STOPPING]
    for site, cap_mw in scheduler.power_caps.items():
        drawn = reckoned_mw(scheduler.fleet, site, staying)
        if drawn > cap_mw and drawn != at_rest_mw(scheduler.fleet, site):
            yield f"7: {site} draws {drawn} mW above its cap of {cap_mw}"


def of_places(state: FactoryState) -> Iterator[str]:
    """Yield jobs of which the scheduler was told other places than rules and facts leave (5)."""
    for job in state.scheduler.jobs.values():
        rules = rules_of_job(state, job.project, job.placement)
        allowed = {place.site for place in all_places(state) if not findings_of(rules, place)}
        real = {site for site in allowed if not state.sites[site].is_simulated}  # nobody's work is simulated unasked
        told = job.where.sites
        if told != (real or allowed) if told is not None else allowed != set(state.sites):
            yield f"5: {job.job} may be at {sorted(allowed)}, and the scheduler was told {told}"


def of_money(state: FactoryState) -> Iterator[str]:
    """Yield accounts that do not add up, and jobs charged or reserved wrong (4)."""
    ledger, expected = state.ledger, Counter[str]()
    if ledger.total():
        yield f"4: all accounts sum to {ledger.total()}"
    for name, balance in ledger.balances.items():
        if balance < 0 and not may_be_negative(name):
            yield f"4: {name} is overspent: {balance}"
    for name, account in state.accounts.items():
        job = state.scheduler.jobs.get(name)
        if not 0 <= account.charged <= min(account.cap, account.weight // HOUR_MS):
            yield f"4: {name} was charged {account.charged}, its ceiling is {account.cap}, {account.weight // HOUR_MS} follows from its time"
        if not 0 <= account.reserved <= account.cap - account.charged:
            yield f"4: {name} has {account.reserved} reserved of {account.cap - account.charged}"
        if job is not None and job.state is JobState.WAITING:
            due = account.cap - account.charged if job.is_funded else 0
            if account.reserved != due:
                yield f"4: {name} waits with {account.reserved} reserved in place of {due}"
        expected[reserved(account.project, account.period)] += account.reserved
    for booking in state.booking.bookings.values():
        for period, amount in booking.reserved.items():
            expected[reserved(booking.project, period)] += amount
    for name, balance in ledger.balances.items():
        if name.endswith("/reserved") and balance != expected[name]:
            yield f"4: {name} is {balance}, and jobs have {expected[name]} reserved with bookings"
    for project in state.projects.values():
        if project.period:
            free, kept, spent = (ledger.balance(part(project.project, project.period)) for part in (available, reserved, charged))
            if free + kept + spent != max(project.budget, kept + spent):
                yield f"4: the month of {project.project} has {free + kept + spent} of its budget of {project.budget}"


def against_books(state: FactoryState, books: Books) -> Iterator[str]:
    """Yield where the state and the books of the events differ (1, 2 and 4)."""
    for name, node in state.scheduler.fleet.nodes.items():
        book = books.nodes.get(name)
        if book is None:
            yield f"6: no event declared the node {name}"
        elif (node.free_cpu_milli, node.free_memory_mib) != (
            book.cpu_milli - book.held_cpu_milli, book.memory_mib - book.held_memory_mib,
        ):  # fmt: skip
            yield f"1: {name} has {node.free_cpu_milli} and {node.free_memory_mib} MiB free, the events leave {book.cpu_milli - book.held_cpu_milli} and {book.memory_mib - book.held_memory_mib}"
    if set(state.scheduler.holding) != set(books.held):
        yield f"2: who holds differs: {sorted(set(state.scheduler.holding) ^ set(books.held))}"
    active = {name: book.state for name, book in books.jobs.items() if book.state is not JobState.ENDED}
    if active.keys() != state.scheduler.jobs.keys():
        yield f"2: which jobs have not ended differs: {sorted(active.keys() ^ state.scheduler.jobs.keys())}"
    for name, job in state.scheduler.jobs.items():
        if active.get(name, job.state) is not job.state:
            yield f"2: {name} is {job.state.value}, the events leave it {active[name].value}"
        if name in books.jobs and state.accounts[name].charged != books.jobs[name].charged:
            yield f"4: {name} was charged {state.accounts[name].charged}, the events say {books.jobs[name].charged}"
    for name in state.ledger.balances.keys() | books.balances.keys():
        if state.ledger.balance(name) != books.balances[name]:
            yield f"4: {name} is {state.ledger.balance(name)}, the transfers leave {books.balances[name]}"


def leaves_stops(scheduler: SchedulerState, now: Instant) -> bool:
    """Return whether the last cycle started what it could, and left it to the next one to choose who gives way."""
    plan = decide(scheduler, now)
    return bool(plan.stops) and not plan.starts


def at_rest(scheduler: SchedulerState, now: Instant) -> Iterator[str]:
    """Yield what is left to do in a state that says it is at rest (2)."""
    plan = decide(scheduler, now)
    if plan.starts or plan.stops:
        yield f"2: {len(plan.starts)} could start and {len(plan.stops)} have to give way, and nobody sees to it"


def at_rest_anew(live: SchedulerState, rebuilt: SchedulerState, now: Instant) -> Iterator[str]:
    """Yield what a cycle would do that has seen nothing yet and looks at everything, where the live one has nothing to do (2).

    Whether an open promise could be an earlier one is asked by the live one alone: when something was freed, and not each time
    (core/admission/looks.py).
    """
    plan = decide(rebuilt, now)
    if plan.starts or plan.stops or plan.broken or plan.given:
        yield (
            f"2: whoever looks at everything would start {[one.job for one in plan.starts]}, stop {[one.job for one in plan.stops]}, break the "
            f"promises of {[one.job for one in plan.broken]} and promise {[one.job for one in plan.given]}, and nobody sees to it"
        )


def of_answers(state: FactoryState, now: Instant, reasons: set[Reason]) -> Iterator[str]:
    """Yield who waits and cannot say on what; the reasons that jobs give are added to `reasons`."""
    for name, job in state.scheduler.jobs.items():
        answer = explain_job.question(job=name)(state, now)
        if answer is None or not answer["text"] or (job.state is JobState.WAITING and not answer["reason"]):
            yield f"2: {name} is {job.state.value} and cannot say why"
        elif answer["reason"]:
            reasons.add(Reason(answer["reason"]))
