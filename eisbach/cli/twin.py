"""`eisbach twin`: play days, months or a trace on a site without one. Everything that it prints is simulated."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eisbach.cli.errors import CliError, usage_error
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.output import Format, Output, document, pairs, show, table
from eisbach.cli.terminal import say
from eisbach.cli.twin_past import past_of
from eisbach.cli.twin_policy import policy_of

if TYPE_CHECKING:
    from eisbach.app.site_facts import SiteFacts
    from eisbach.core.jobs.within import Within
    from eisbach.twin.demand import DemandWorkload
    from eisbach.twin.run import Act
    from eisbach.twin.scenario import Checking, Scenario
    from eisbach.twin.world import World

Json = dict[str, Any]
SHOWN_EVERY = 500
"""Instants of virtual time between two looks at the progress."""

Site = Annotated[str, typer.Option("--site", metavar="S", help="A shipped site such as munich, or a site file.")]
Days = Annotated[int | None, typer.Option("--days", min=1, max=3660, help="Virtual days; without it, until all work is over.")]
Jobs = Annotated[Path | None, typer.Option("--jobs", metavar="TRACE", help="A job table or a week file, plain or gzip.")]
Demand = Annotated[Path | None, typer.Option("--demand", metavar="FILE", help="Classes of customers (TOML).")]
FaultsFile = Annotated[Path | None, typer.Option("--faults", metavar="FILE", help="What goes wrong (TOML).")]
PolicyName = Annotated[str, typer.Option("--policy", help="fifo, easy or default.")]
Notice = Annotated[str, typer.Option("--notice", metavar="TIME", help="The policy's notice before work is preempted, such as 30s.")]
MinimumRun = Annotated[str, typer.Option("--minimum-run", metavar="TIME", help="How long an attempt runs at least before it gives way.")]
HalfLife = Annotated[str, typer.Option("--half-life", metavar="TIME", help="After how long usage counts half; whole hours.")]
PromisedNodes = Annotated[int | None, typer.Option("--promised-nodes", min=0, max=100_000, help="From how many nodes on gangs are promised a start; 0: none.")]
WithinLevel = Annotated[str, typer.Option("--within", help="Where gangs want to stay: nvlink, rack, row or hall.")]
Flavour = Annotated[str, typer.Option("--flavour", help="The flavour a trace runs on; else the one with most GPUs.")]
Checkpoint = Annotated[str, typer.Option("--checkpoint", metavar="LENGTH", help="How often a job saves, such as 30m; none: never.")]
Seed = Annotated[int, typer.Option("--seed", help="All chance comes from it.")]
Check = Annotated[bool, typer.Option("--check", help="Hold the invariants against every event; exit status 1 where one is broken.")]
Log = Annotated[bool, typer.Option("--log", help="Hash every event into the log's tree, as a live factory does.")]
Report = Annotated[Path | None, typer.Option("--report", metavar="DIR", help="Write the report, one HTML page, and the result there.")]
AsJson = Annotated[bool, typer.Option("--json", help="The same as -o json.")]


def run(
    site: Site,
    days: Days = None,
    jobs: Jobs = None,
    demand: Demand = None,
    faults: FaultsFile = None,
    policy: PolicyName = "default",
    notice: Notice = "",
    minimum_run: MinimumRun = "",
    half_life: HalfLife = "",
    promised_nodes: PromisedNodes = None,
    within: WithinLevel = "",
    flavour: Flavour = "",
    checkpoint: Checkpoint = "30m",
    seed: Seed = 1,
    check: Check = False,
    log: Log = False,
    report: Report = None,
    as_json: AsJson = False,
    output_format: Output = Format.TABLE,
) -> None:
    """Play a site with a trace or imagined demand; simulated."""
    from eisbach.twin.booked import with_bookings
    from eisbach.twin.scenario import Scenario

    if (jobs is None) == (demand is None):
        raise usage_error("Give --jobs TRACE or --demand FILE, one of the two", "docs/twin.md describes both")
    if demand is not None and days is None:
        raise usage_error("Imagined demand has no end", "Say how many --days")
    facts, checkpoint_ms = _site(site), _checkpoint(checkpoint)
    chosen_policy = policy_of(policy, notice=notice, minimum_run=minimum_run, half_life=half_life, promised_nodes=promised_nodes)
    with _told():
        acts = _faults(faults, facts, days, seed, is_ending=True) if faults is not None else []
        if jobs is not None:
            scenario = Scenario(
                sites=(facts,), workload=_trace(jobs, facts, flavour, _within(within)), policy=chosen_policy, acts=acts, seed=seed,
                days=days, has_log=log, checking=_checking(check), checkpoint_ms=checkpoint_ms,
            )  # fmt: skip
        else:
            classes = _demand(Path(str(demand)), facts, int(days or 1), seed)
            scenario = Scenario(
                sites=(facts,), workload=classes, policy=chosen_policy, acts=with_bookings(acts, classes), seed=seed,
                days=days, has_log=log, checking=_checking(check), checkpoint_ms=checkpoint_ms,
            )  # fmt: skip
    _play(scenario, report, Format.JSON if as_json else output_format)


def replay(
    jobs: Jobs = None,
    history: Annotated[bool, typer.Option("--history", help="Replay the past of the factory in the home, which is only read.")] = False,
    nodes: Annotated[int | None, typer.Option("--nodes", min=1, max=100_000, help="With --jobs: equal nodes, 8 in a rack, 16 racks in a row.")] = None,
    gpus_per_node: Annotated[int, typer.Option("--gpus-per-node", min=0, max=1024, help="GPUs of each node.")] = 8,
    since: Annotated[str, typer.Option("--from", help="With --history: from this instant or day on, such as 2026-06-01.")] = "",
    until: Annotated[str, typer.Option("--until", help="With --history: until this instant or day.")] = "",
    zone: Annotated[str, typer.Option("--zone", help="Whose time --from and --until without an offset are in: Europe/Berlin, or local.")] = "UTC",
    home: Annotated[Path | None, typer.Option("--home", help="With --history: another home.")] = None,
    faults: FaultsFile = None,
    policy: Annotated[str, typer.Option("--policy", help="fifo, easy or default; a history's own, with its numbers, without it.")] = "",
    notice: Notice = "",
    minimum_run: MinimumRun = "",
    half_life: HalfLife = "",
    promised_nodes: PromisedNodes = None,
    within: WithinLevel = "",
    checkpoint: Checkpoint = "30m",
    check: Check = False,
    log: Log = False,
    report: Report = None,
    as_json: AsJson = False,
    output_format: Output = Format.TABLE,
) -> None:
    """Replay a trace on equal nodes, or the factory's own past; simulated."""
    from eisbach.core.vocabulary.quantities import DAY_MS
    from eisbach.twin.equal_nodes import equal_nodes
    from eisbach.twin.scenario import Scenario

    if history is (jobs is not None) or (jobs is not None and nodes is None):
        raise usage_error("Give --jobs TRACE with --nodes N, or --history, one of the two", "docs/twin.md describes both")
    chosen, checkpoint_ms = Format.JSON if as_json else output_format, _checkpoint(checkpoint)
    numbers: Json = {"notice": notice, "minimum_run": minimum_run, "half_life": half_life, "promised_nodes": promised_nodes}
    if history:
        past = past_of(home, since, until, zone)
        sites, acts = past.sites(), past.acts()
        if faults is not None:
            acts += _faults_of_a_past(faults, sites, past.begin_ms, past.days)
        scenario = Scenario(
            sites=sites, workload=past, policy=policy_of(policy, own=past.policy, **numbers), acts=sorted(acts, key=lambda act: act.at_ms), has_log=log, checking=_checking(check),
            start_ms=past.begin_ms, prices=past.prices(), refuse=past.refuse, unknown=past.unknown, checkpoint_ms=checkpoint_ms,
        )  # fmt: skip
    else:
        facts = equal_nodes(nodes or 1, gpus_per_node)
        with _told():
            workload = _trace(Path(str(jobs)), facts, "", _within(within))
            happening = _faults(faults, facts, workload.last_submit_ms // DAY_MS + 1, 1) if faults is not None else []
        scenario = Scenario(
            sites=(facts,), workload=workload, policy=policy_of(policy, **numbers), acts=happening, has_log=log, checking=_checking(check),
            checkpoint_ms=checkpoint_ms,
        )  # fmt: skip
    _play(scenario, report, chosen)


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="What --json printed, or the folder of a --report.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The other one.")],
    output_format: Output = Format.TABLE,
) -> None:
    """Compare two results of the twin; simulated."""
    from dataclasses import asdict

    from eisbach.twin import compare as comparing

    try:
        first, second = comparing.read_result(a), comparing.read_result(b)
    except comparing.NoResult as error:
        raise usage_error(str(error)) from error
    found, is_same = comparing.differences(first, second), comparing.is_same_plan(first, second)
    unlike = comparing.unlike(first, second)
    doc = document("twin-comparison", label="simulated", same_plan=is_same, unlike=unlike, differences=[asdict(one) for one in found])

    def as_text(is_wide: bool) -> None:
        rows = [[one.key, _figure(one.a), _figure(one.b), _figure(one.change, "+"), one.better.upper()] for one in found]
        table(["SIMULATED", ">A", ">B", ">B - A", "BETTER"], rows)
        print()
        for line in unlike:
            print(f"played differently: {line}")
        print("plan: the same decisions" if is_same else "plan: other decisions")

    show(doc, output_format, as_text)


def _figure(value: float | None, sign: str = "") -> str:
    if value is None:
        return "-"
    return f"{value:{sign},}" if isinstance(value, int) else f"{value:{sign},.4f}"


def _play(scenario: "Scenario", report: Path | None, chosen: Format) -> None:
    with _told(), _progress(len(scenario.workload)) as look:
        if report is None:
            doc = scenario.document(scenario.play(scenario.world(), look=look))
        else:
            doc = _reported(scenario, report, look)
    show(doc, chosen, lambda is_wide: _print_result(doc))
    if doc["violations"]:
        raise CliError(f"{doc['violations']} violations of invariants", "This is a bug in Eisbach; the command repeats it")


def _reported(scenario: "Scenario", folder: Path, look: "Callable[[World], object] | None") -> Json:
    from eisbach.twin.reported import play_reported

    try:
        folder.mkdir(parents=True, exist_ok=True)
        doc, page = play_reported(scenario, folder, look=look)
    except OSError as error:
        raise CliError(f"The report cannot be written to {folder}: {error.strerror}", "Name a folder that can be written") from error
    say(f"report: {page}")
    return doc


def _print_result(doc: Json) -> None:
    """Print what a run came to, for a person."""
    pairs(
        [
            ("label", f"{doc['label']}: nothing was executed"),
            ("site", ", ".join(doc["sites"])),
            ("workload", doc["workload"]),
            ("policy, seed", f"{doc['policy']}, {doc['seed']}"),
            ("assumed", "\n".join(doc["assumptions"])),
            ("not known", "\n".join(doc["unknown"])),
            ("jobs", f"{doc['jobs']:,}, {doc['finished']:,} of them finished"),
            ("wait", f"mean {_seconds(doc['mean_wait_s'])}, half within {_seconds(doc['p50_wait_s'])}, 99 of 100 within {_seconds(doc['p99_wait_s'])}"),
            ("first to last", _seconds(doc["makespan_s"])),
            ("GPUs", f"{doc['sold']:.1%} sold, {doc['allocated']:.1%} allocated, {doc['busy']:.1%} busy; {doc['stranded_gpu_h']:,.0f} GPU-hours stranded"),
            ("bookings short of", f"{doc['shortfall_gpu_h']:,.0f} GPU-hours"),
            ("gangs together", "" if doc["in_rack"] is None else f"{doc['in_rack']:.1%}"),
            ("preemptions", f"{doc['preemptions']:,}; {doc['moves']:,} attempts moved aside, {doc['moves_gain_gpu_h']:,.0f} GPU-hours gained"),
            ("energy", "" if doc["energy_kwh"] is None else f"{doc['energy_kwh']:,.0f} kWh modelled" + ("" if doc["pue"] is None else f", PUE {doc['pue']:.2f}")),
            ("promises", f"{doc['promises']:,}, {doc['promises_broken']:,} of them broken"),
            ("violations", f"{doc['violations']:,}"),
            ("revenue", f"{doc['revenue_eur']:,.2f} EUR"),
            ("events", f"{doc['events']:,}"),
            ("plan hash", doc["plan_hash"]),
            ("log root", doc["log_root"]),
            ("this computer", f"{doc['cpu_s']:.1f} CPU seconds, {doc['jobs_per_cpu_s']:,.0f} jobs each second, at most {doc['peak_rss_mb']:,.0f} MB"),
        ]
    )  # fmt: skip


def _seconds(seconds: float) -> str:
    from eisbach.cli.figures import duration

    return duration(round(seconds * 1000))


def _site(said: str) -> "SiteFacts":
    from eisbach.adapters.home_files import HomeFileError
    from eisbach.adapters.shipped_sites import shipped_sites, site_file_of
    from eisbach.adapters.site_file import read_site_file

    try:
        sites = read_site_file(site_file_of(said))
    except HomeFileError as error:
        raise usage_error(str(error), f"Shipped sites are {', '.join(shipped_sites())}") from error
    if len(sites) != 1:
        raise usage_error(f"{said} holds {len(sites)} sites, and one is played at a time", "Write a file with one [site]")
    return sites[0]


def _checkpoint(said: str) -> int | None:
    from eisbach.core.jobs.amounts import parse_duration_ms

    if said == "none":
        return None
    length_ms = parse_duration_ms(said)
    if not length_ms:
        raise usage_error(f"{said!r} is no time between two checkpoints", "Write 30m or 2h, or none")
    return length_ms


def _checking(is_wanted: bool) -> "Checking | None":
    if not is_wanted:
        return None
    from eisbach.twin.checked import CHECKED

    return CHECKED


def _within(level: str) -> "Within | None":
    from eisbach.core.jobs.within import Level, Within

    levels = {one.value: one for one in Level}
    if level and level not in levels:
        raise usage_error(f"There is no level {level!r} of the topology", f"Use one of {', '.join(levels)}")
    return Within(levels[level]) if level else None


def _trace(path: Path, site: "SiteFacts", flavour: str, within: "Within | None") -> Any:
    from eisbach.twin.trace_workload import TraceWorkload

    return TraceWorkload(path, site, flavour=flavour, within=within)


def _demand(path: Path, site: "SiteFacts", days: int, seed: int) -> "DemandWorkload":
    from eisbach.twin.demand import DemandWorkload
    from eisbach.twin.demand_file import read_demand

    return DemandWorkload(read_demand(path), site, days=days, seed=seed, name=path.name)


def _faults(path: Path, site: "SiteFacts", days: int | None, seed: int, *, is_ending: bool = False, begin_ms: int = 0) -> "list[Act]":
    """Return what goes wrong: failures drawn for so many days, after which the run ends, or not before its last work."""
    from eisbach.twin.faults import acts_of, refuse_too_late
    from eisbach.twin.faults_file import read_faults
    from eisbach.twin.world import START_MS

    faults = read_faults(path)
    if faults.is_random and days is None:
        raise usage_error("Failures are drawn for a time, and none is said", "Say how many --days")
    if is_ending and days is not None:
        refuse_too_late(faults, days)
    return list(acts_of(faults, site, begin_ms=begin_ms or START_MS, days=days or 0, seed=seed))


def _faults_of_a_past(path: Path, sites: "tuple[SiteFacts, ...]", begin_ms: int, days: int) -> "list[Act]":
    if len(sites) != 1:
        raise usage_error(f"The past has {len(sites)} sites, and faults are played at one", "Replay it without --faults")
    with _told():
        return _faults(path, sites[0], days, 1, begin_ms=begin_ms)


@contextmanager
def _told() -> Iterator[None]:
    """Tell what is wrong with a file of the person's as an error of the command line."""
    try:
        yield
    except _mistakes() as error:
        raise CliError(str(error), code=ExitCode.USAGE) from error


def _mistakes() -> tuple[type[Exception], ...]:
    """Return the errors that say what is wrong with a file; asked, and imported, only where something is."""
    from eisbach.adapters.home_files import HomeFileError
    from eisbach.twin.wrong_input import WrongInput

    return (HomeFileError, WrongInput)


@contextmanager
def _progress(jobs: int) -> "Iterator[Callable[[World], object] | None]":
    """Yield what looks at a world after each instant: a progress bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TextColumn("jobs submitted"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=jobs)
        looks = 0

        def look(world: "World") -> None:
            nonlocal looks
            looks += 1
            if not looks % SHOWN_EVERY:
                bar.update(task, completed=world.state.totals.get("submitted", 0))

        yield look
