"""Start a template: choose, see the plan with price, ceiling, start and place, confirm."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from eisbach.app import check_references, list_offers, quote_job, start_template, submit_job
from eisbach.app.authorise import ABSENT, Place
from eisbach.app.state_data import Stage
from eisbach.app.visible import projects_of
from eisbach.core.jobs.request import JobSpec
from eisbach.core.jobs.task_file import parse_task
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.portal.access import OWN, PROJECT, page
from eisbach.portal.call import Call
from eisbach.portal.forms import Form, Refused
from eisbach.portal.navigation import NavEntry
from eisbach.portal.pages.offers import accelerators_of, resources_of
from eisbach.ports.translator import N_

TITLES = {
    "train-language-model": N_("Train a small language model"),
    "predictive-maintenance": N_("Predictive maintenance"),
}
ABOUT = {
    "train-language-model": N_(
        "Trains a transformer on a text, on two workers, with checkpoints: it goes on where it was when a worker is lost."
    ),
    "predictive-maintenance": N_(
        "Finds anomalous stretches in real measurements, reports what it found and missed, and leaves a model."
    ),
}
OPTION_LABELS = {
    "DATA": N_("Measurements"),
    "LANGUAGE": N_("Language of the report"),
    "TIMEZONE": N_("Time zone of the measurements"),
    "CALIBRATION_DAYS": N_("Days to learn what is normal"),
    "STEPS": N_("Training steps"),
    "LAYERS": N_("Layers"),
    "WIDTH": N_("Width"),
    "CONTEXT": N_("Context length"),
    "BATCH": N_("Batch size"),
    "SAVE_EVERY": N_("Steps between checkpoints"),
    "SEED": N_("Seed of chance"),
    "TOKENIZER": N_("Tokenizer"),
}
OPTION_HINTS = {"DATA": N_("auto, water-flow, or a file's name")}
"""What the options of templates are called, and what to write there; one that is not here is shown by its own name."""
DATA_NAME = "input"
DATA_SETS_SHOWN = 200
OPTION = "env_"
NOTHING_UPLOADED = "sha256:" + 64 * "0"
"""Stands for the archive of a template while nothing but the price is asked."""


def _project_of(form: Form) -> Place:
    return PROJECT, form.text("project")


@page("GET", "/templates", "offers:read", OWN)
def list_templates(call: Call) -> Response:
    """Show the templates that can be started."""
    return call.render("start/list.html", templates=call.application.templates.names(), titles=TITLES, about=ABOUT)


@page("GET", "/templates/{template}", "project:read", OWN)
def show_template(call: Call) -> Response:
    """Show what can be chosen of a template."""
    task = _task(call)
    typed = _defaults(task)
    if OPTION + "LANGUAGE" in typed:
        typed[OPTION + "LANGUAGE"] = call.speech.language
    typed["data_set"] = call.query("data_set")
    return _form(call, task, typed)


@page("POST", "/templates/{template}/plan", "job:plan", located_by=_project_of)
def show_plan(call: Call) -> Response:
    """Show what it would cost, where and when it would run; nothing is kept."""
    task = _task(call)
    typed = _typed(call.form, task)
    try:
        spec = _checked(call, call.form.text("project"), _spec(call, typed, NOTHING_UPLOADED)._replace(workdir=None))
        plan = _plan(call, spec)
    except Refused as refused:
        return _form(call, task, typed, refused)
    return call.render(
        "start/plan.html",
        template=call.parameter("template"),
        titles=TITLES,
        form_id=call.new_form_id(),
        fields=call.form.fields,
        plan=plan,
        spec=spec,
        project_name=_project_name(call),
    )


@page("POST", "/templates/{template}/start", "job:submit", located_by=_project_of)
def start(call: Call) -> Response:
    """Submit the job; the same form sent again leads to the same job."""
    task, project, template = _task(call), call.form.text("project"), call.parameter("template")
    typed = _typed(call.form, task)
    if not call.form.id:
        raise Refused(Refusal(Reason.INVALID_ARGUMENT, "The form is incomplete; nothing was started", "Start from the list of templates"))
    try:
        archive = start_template.upload(call.application, call.who, project, template)
        if isinstance(archive, Refusal):
            raise Refused(archive)
        spec = _spec(call, typed, archive)
        spec = _checked(call, project, spec)
        answer = call.perform(submit_job.command(call.who, project=project, spec=spec))
    except Refused as refused:
        return _form(call, task, typed, refused)
    return call.redirect(f"/jobs/{answer['job']}", "job-started")


def _checked(call: Call, project: str, spec: JobSpec) -> JobSpec:
    """Return the task with its data sets found; raise Refused with everything it refers to that the project does not have."""
    checked = check_references.checked(call.application, project, spec)
    if not isinstance(checked, JobSpec):
        raise Refused(*checked)
    return checked


def _plan(call: Call, spec: JobSpec) -> dict[str, Any]:
    project = call.form.text("project")
    try:
        return call.ask(quote_job.question(project=project, spec=spec, by=call.who.token))
    except Refused as refused:
        if refused.refusals[0].reason is not Reason.RESIDENCY_FORBIDDEN:
            raise
        # whoever asks for a forbidden place finds it in the log
        logged = call.application.perform(quote_job.refuse(call.who, project=project, spec=spec)).result()
        raise Refused(logged if isinstance(logged, Refusal) else refused.refusals[0]) from refused


def _task(call: Call) -> Mapping[str, Any]:
    task = call.application.templates.task(call.parameter("template"))
    if task is None:
        raise Refused(ABSENT)
    return task


def _defaults(task: Mapping[str, Any]) -> dict[str, str]:
    resources = task.get("resources") or {}
    return {
        "project": "",
        "name": str(task.get("name", "")),
        "gpu": "",
        "gpus": "1",
        "cpus": str(resources.get("cpus", 1)),
        "memory": str(resources.get("memory", 2)),
        "nodes": str(task.get("num_nodes", 1)),
        "time_limit": str(task.get("time_limit", "1h")),
        "site": "",
        "data_set": "",
        **{OPTION + name: str(value) for name, value in (task.get("envs") or {}).items()},
    }


def _typed(form: Form, task: Mapping[str, Any]) -> dict[str, str]:
    return {name: form.fields.get(name, value).strip() for name, value in _defaults(task).items()}


def _spec(call: Call, typed: dict[str, str], archive: str) -> JobSpec:
    """Return the specification of what was chosen; raise Refused with everything that is wrong with it."""
    chosen: dict[str, Any] = {
        "name": typed["name"],
        "resources": resources_of(typed),
        "num_nodes": typed["nodes"],
        "time_limit": typed["time_limit"],
        "envs": {name.removeprefix(OPTION): value for name, value in typed.items() if name.startswith(OPTION)},
        "workdir": archive,
    }
    if typed["data_set"]:
        chosen["data"] = {DATA_NAME: typed["data_set"]}
    if typed["site"]:
        chosen["placement"] = {"sites": [typed["site"]]}
    task = start_template.task_of(call.application, call.parameter("template"), chosen)
    if isinstance(task, Refusal):
        raise Refused(task)
    spec = parse_task(task, defaults=call.host.task_defaults)
    if not isinstance(spec, JobSpec):
        raise Refused(*spec)
    return spec


def _form(call: Call, task: Mapping[str, Any], typed: dict[str, str], refused: Refused | None = None) -> Response:
    projects = {
        row["project"]: row["name"]
        for row in projects_of(call.application.reader, call.who)
        if call.may("job:submit", (PROJECT, row["project"]))
    }
    options = {name: typed[OPTION + name] for name in (task.get("envs") or {})}
    offers = call.ask(list_offers.question())
    return call.render(
        "start/form.html",
        status=200 if refused is None else 422,
        refusals=() if refused is None else refused.refusals,
        template=call.parameter("template"),
        titles=TITLES,
        about=ABOUT,
        typed=typed,
        options=options,
        option_labels=OPTION_LABELS,
        option_hints=OPTION_HINTS,
        data_sets=_data_sets(call),
        option_prefix=OPTION,
        projects=projects,
        accelerators=accelerators_of(offers),
        sites=_sites(call, offers),
        form_id=call.new_form_id(),
    )


def _data_sets(call: Call) -> dict[str, str]:
    """Return the complete data sets of the projects in which the caller may start work, with their project's name."""
    names = {row["project"]: row["name"] for row in projects_of(call.application.reader, call.who)}
    where = {"project": tuple(names), "stage": Stage.READY.value}
    rows = call.application.reader.rows("data_sets", where, limit=DATA_SETS_SHOWN).rows if names else ()
    return {row["data_set"]: f"{row['name']} ({names[row['project']]})" for row in rows}


def _sites(call: Call, offers: Mapping[str, Any]) -> dict[str, str]:
    """Return the sites that have something on offer, with their countries."""
    places = {place["site"]: place["country"] for offer in offers["offers"] for place in offer["places"]}
    return {site: f"{site}, {call.speech.country(country)}" for site, country in sorted(places.items())}


def _project_name(call: Call) -> str:
    row = call.application.reader.row("projects", call.form.text("project"))
    return str(row["name"]) if row is not None else ""


PAGES = (list_templates, show_template, show_plan, start)
NAVIGATION = (NavEntry("/templates", N_("Start work"), "project:read", 300),)
