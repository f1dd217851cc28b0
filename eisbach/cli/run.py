"""`eisbach run`: plan and price first, then the job's log, then the job's exit code."""

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from eisbach.cli.errors import CliError
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.output import Format, Output, document, show
from eisbach.cli.run_options import RunOptions, Task
from eisbach.cli.session import Session
from eisbach.cli.terminal import clean, is_interactive, say

COMMAND_KEY = "eisbach.command"


class RunCommand(TyperCommand):
    """Keeps what stands behind `--` apart, so that `run FILE` and `run -- COMMAND` are never confused."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the options in front of `--` and remember the words behind it."""
        if "--" in args:
            at = args.index("--")
            ctx.meta[COMMAND_KEY] = args[at + 1 :]
            args = args[:at]
        return list(super().parse_args(ctx, args))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what the usage line shows."""
        return ["[OPTIONS]", "FILE.yaml | -- COMMAND"]


def run(
    ctx: typer.Context,
    file: Annotated[str | None, typer.Argument(metavar="FILE.yaml", help="A task file.")] = None,
    name: Annotated[str | None, typer.Option("--name", "-n", help="The job's name.")] = None,
    num_nodes: Annotated[int | None, typer.Option("--num-nodes", help="Equal nodes, all or nothing.")] = None,
    cpus: Annotated[str | None, typer.Option("--cpus", help="Cores of each node, such as 2, 0.5 or 4+.")] = None,
    memory: Annotated[str | None, typer.Option("--memory", help="Memory of each node in GiB, such as 8, 8+ or 512MB.")] = None,
    accelerators: Annotated[
        str | None, typer.Option("--gpus", "--accelerators", help="GPUs of each node, such as 1 or H100:8.")
    ] = None,
    time_limit: Annotated[str | None, typer.Option("--time-limit", help="Longest run, over all attempts, such as 90m.")] = None,
    env: Annotated[
        list[str] | None, typer.Option("--env", "-e", metavar="K=V", help="A variable; K alone passes on its value here.")
    ] = None,
    secret: Annotated[list[str] | None, typer.Option("--secret", metavar="NAME", help="A stored secret to give.")] = None,
    workdir: Annotated[str | None, typer.Option("--workdir", help="The folder to send along.")] = None,
    output: Annotated[
        list[str] | None, typer.Option("--output", metavar="PATH", help="A file or folder of the workspace to keep.")
    ] = None,
    retry: Annotated[int | None, typer.Option("--retry", help="Further tries after a failure of your own.")] = None,
    checkpoint_signal: Annotated[str | None, typer.Option("--checkpoint-signal", help="Asks the job to save.")] = None,
    checkpoint_grace: Annotated[str | None, typer.Option("--checkpoint-grace", help="Time for saving, such as 60s.")] = None,
    capacity_class: Annotated[str | None, typer.Option("--class", help="on-demand or spot.")] = None,
    booking: Annotated[str | None, typer.Option("--booking", help="Run on the nodes of this booking, inside its window.")] = None,
    within: Annotated[
        str | None, typer.Option("--within", metavar="LEVEL", help="Keep the nodes of a gang together where that can be: nvlink, rack, row or hall.")
    ] = None,
    within_required: Annotated[bool, typer.Option("--within-required", help="Wait until they can be; with --within, or the file's own.")] = False,
    project: Annotated[str | None, typer.Option("--project", "-p", help="The project: name or id.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show plan and price, start nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the start.")] = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Do not follow the log.")] = False,
    output_format: Output = Format.TABLE,
) -> int:
    """Run a task file or a command: plan, price, then its log.

    Ctrl-C stops watching; the job goes on. The exit code is the job's own.
    """
    options = RunOptions(
        name=name, num_nodes=num_nodes, cpus=cpus, memory=memory, accelerators=accelerators, time_limit=time_limit,
        envs=env or (), secrets=secret or (), workdir=workdir, outputs=output or (), retry=retry,
        checkpoint_signal=checkpoint_signal, checkpoint_grace=checkpoint_grace, capacity_class=capacity_class,
        booking=booking, within=within, is_within_required=within_required,
        command=ctx.meta.get(COMMAND_KEY, ()),
    )  # fmt: skip
    return start(file, options, Choices(project, dry_run, yes, detach, output_format))


run.command_class = RunCommand  # type: ignore[attr-defined]


class Choices:
    """What is to be done with the task."""

    __slots__ = ("detach", "dry_run", "format", "project", "yes")

    def __init__(self, project: str | None, dry_run: bool, yes: bool, detach: bool, format: Format) -> None:
        self.project = project
        self.dry_run = dry_run
        self.yes = yes
        self.detach = detach
        self.format = format


def start(file: str | None, options: RunOptions, choices: Choices) -> int:
    """Plan, ask, submit and follow; return the exit code."""
    from eisbach.cli.plan_table import print_plan
    from eisbach.cli.resolve import find_project
    from eisbach.cli.task_source import read_task, send_workdir

    task, folder = read_task(file, options)
    session = Session()
    project = find_project(session, choices.project)
    path = f"/v1/projects/{project['project']}"
    plan = session.client.post(f"{path}/plans", {"task": _without_folder(task)})
    if choices.dry_run:
        show(document("plan", **plan), choices.format, lambda is_wide: print_plan(plan, project))
        return ExitCode.OK
    if choices.format in (Format.TABLE, Format.WIDE):
        print_plan(plan, project, to_stderr=True)
    _confirm(choices)
    if folder is not None:
        task["workdir"] = send_workdir(session, path, folder)
    job = session.client.post(f"{path}/jobs", {"task": task})
    return _followed(session, job, choices, is_gang=plan["nodes"] > 1)


def _followed(session: Session, job: dict[str, Any], choices: Choices, *, is_gang: bool) -> int:
    from eisbach.cli.follow import follow, told_end

    name = clean(job.get("name") or job["job"])
    if choices.detach:
        if choices.format in (Format.JSON, Format.YAML):
            show(document("run", **job), choices.format, lambda is_wide: None)
        else:
            say(f"Submitted {name}. Follow it with `eisbach logs -f {job['job']}`.")
            print(job["job"])
        return ExitCode.OK
    say(f"Submitted {name} ({job['job']}). Ctrl-C stops watching; the job goes on.")
    is_document = choices.format in (Format.JSON, Format.YAML)
    ended = follow(session, job["job"], is_gang=is_gang, lines_to_stderr=is_document)
    if ended is None:
        say(f"\nNo longer watching; {name} goes on. Come back with `eisbach logs -f {job['job']}`,")
        say(f"end it with `eisbach cancel {job['job']}`.")
        return ExitCode.INTERRUPTED
    if is_document:
        show(document("run", **ended), choices.format, lambda is_wide: None)
    return told_end(session, ended)


def _confirm(choices: Choices) -> None:
    if choices.yes:
        return
    if not is_interactive():
        raise CliError(
            "Nobody can be asked whether to start this: there is no terminal",
            "Say yes beforehand with -y, or look only with --dry-run",
            ExitCode.REFUSED,
        )
    if not typer.confirm("Start it?", default=False, err=True):
        raise CliError("Not started, as you said", code=ExitCode.REFUSED)


def _without_folder(task: Task) -> Task:
    """A plan needs no archive: what the folder holds changes neither place nor price."""
    return {key: value for key, value in task.items() if key != "workdir"}

