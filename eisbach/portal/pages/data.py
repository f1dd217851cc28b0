"""Data sets: listed, uploaded piece by piece, looked at, downloaded, copied to a site, deleted with a certificate."""

import asyncio
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.responses import Response, StreamingResponse

from eisbach.app import (
    announce_data_set,
    certify_deletion,
    copy_data_set,
    delete_data_set,
    read_data_set,
    receive_data_set,
)
from eisbach.app.announce_data_set import NewDataSet
from eisbach.app.authorise import ABSENT, Place
from eisbach.app.receive_data_set import Reception
from eisbach.app.state import FactoryState
from eisbach.app.state_data import DataClass, Stage
from eisbach.app.visible import projects_of
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.portal.access import DATA, OWN, PROJECT, page
from eisbach.portal.call import Call
from eisbach.portal.forms import Form, Refused
from eisbach.portal.navigation import NavEntry
from eisbach.ports.store import Row
from eisbach.ports.translator import N_

PIECE_BYTES_MAX = 8 * 1024 * 1024
PIECE_BYTES = 4 * 1024 * 1024
"""What the page's script sends at once."""
PAGE_SETS = 50
STAGES = {
    Stage.UPLOADING.value: (N_("being uploaded"), "busy"),
    Stage.READY.value: (N_("ready"), "good"),
    Stage.DELETING.value: (N_("being deleted"), "wait"),
    Stage.DELETED.value: (N_("deleted"), "calm"),
    Stage.ABANDONED.value: (N_("given up"), "calm"),
}
CLASSES = {
    DataClass.CUSTOMER.value: N_("customer data"),
    DataClass.DERIVED.value: N_("derived data"),
    DataClass.ACCOUNT.value: N_("account data"),
    DataClass.PROVIDER.value: N_("provider data"),
}


def _project_of(form: Form) -> Place:
    return PROJECT, form.text("project")


@page("GET", "/data", "project:read", OWN)
def list_data(call: Call) -> Response:
    """Show the data sets of one project, by default of the newest one, and a form to upload a file."""
    projects = {row["project"]: row["name"] for row in projects_of(call.application.reader, call.who)}
    project = call.query("project") or next(iter(projects), "")
    if project and project not in projects:
        raise Refused(ABSENT)
    found = None
    if project:
        is_all = call.query("all") == "true"
        found = read_data_set.listed(
            call.application, project, is_all=is_all, cursor=call.query("after") or None, limit=PAGE_SETS
        )
    return call.render(
        "data/list.html",
        projects=projects,
        project=project,
        found=found,
        usage=read_data_set.usage(call.application, project) if project else None,
        may_upload=bool(project) and call.may("data:upload", (PROJECT, project)),
        classes=CLASSES,
        stages=STAGES,
        piece_bytes=PIECE_BYTES,
    )


@page("GET", "/data/{data_set}", "data:read", DATA, "data_set")
def show_data(call: Call) -> Response:
    """Show one data set, and what can be done with it."""
    return _shown(call)


@page("GET", "/data/{data_set}/content", "data:download", DATA, "data_set")
def send_content(call: Call) -> Response:
    """Send the bytes, always as a download."""
    row = call.application.reader.row("data_sets", call.parameter("data_set"))
    if row is None:
        raise Refused(ABSENT)
    pieces = read_data_set.content(call.application, row, 0, row["size"])
    if isinstance(pieces, Refusal):
        raise Refused(pieces)
    headers = {
        "Content-Length": str(row["size"]),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row['name'], safe='')}",
        "Eisbach-Sha256": row["sha256"],
    }
    return StreamingResponse(pieces, headers=headers, media_type="application/octet-stream")


@page("GET", "/data/{data_set}/certificate", "data:prove", DATA, "data_set")
def send_certificate(call: Call) -> Response:
    """Send the certificate of a deletion, with its proofs."""
    made = certify_deletion.certificate(call.application, call.parameter("data_set"))
    if isinstance(made, Refusal):
        raise Refused(made)
    name = f"deletion-{call.parameter('data_set')}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(msgspec.json.encode(made) + b"\n", headers=headers, media_type="application/json")


@page("POST", "/data/uploads", "data:upload", located_by=_project_of)
def begin(call: Call) -> Response:
    """Begin an upload for the page's script; answers with JSON."""
    form = call.form
    try:
        new = NewDataSet(
            name=form.text("name"),
            size=_number(form, "size") or 0,
            data_class=form.text("data_class"),
            licence=form.text("licence"),
            keep_days=_number(form, "keep_days"),
            countries=tuple(form.text("countries").upper().replace(",", " ").split()),
        )
        limits = call.application.data_limits
        reply = call.perform(announce_data_set.command(call.who, project=form.text("project"), new=new, limits=limits))
    except Refused as refused:
        return _told(call, refused.refusals[0])
    return _json({"data_set": reply["data_set"]})


@page("GET", "/data/uploads/{data_set}", "data:upload", DATA, "data_set")
def progress(call: Call) -> Response:
    """Tell the page's script how many bytes are durable."""
    found = receive_data_set.progress(call.application, call.parameter("data_set"))
    if isinstance(found, Refusal):
        return _told(call, found)
    return _json({"offset": found[1], "size": found[0].size})


@page("PATCH", "/data/uploads/{data_set}", "data:upload", DATA, "data_set")
async def take_piece(call: Call) -> Response:
    """Take bytes at `Upload-Offset` from the page's script: one small piece, whole or not at all."""
    sent = call.request.headers.get("upload-offset", "")
    if not sent.isdecimal() or len(sent) > 18:
        return _told(call, Refusal(Reason.INVALID_ARGUMENT, f"Upload-Offset is {sent[:40]!r}", "Open the page anew"))
    body = bytearray()
    async for chunk in call.request.stream():
        body += chunk
        if len(body) > PIECE_BYTES_MAX:
            what = f"The piece has more than {PIECE_BYTES_MAX} bytes"
            return _told(call, Refusal(Reason.TOO_LARGE, what, "Send smaller pieces"))
    found = await asyncio.to_thread(_take, call, int(sent), bytes(body))
    return _told(call, found) if isinstance(found, Refusal) else _json({"offset": found})


@page("POST", "/data/{data_set}/copies", "data:copy", DATA, "data_set")
def copy(call: Call) -> Response:
    """Have a copy made at a further site; a refusal by the rules is told on the page."""
    data_set, site = call.parameter("data_set"), call.form.text("site")
    try:
        call.perform(copy_data_set.command(call.who, data_set=data_set, site=site, limits=call.application.data_limits))
    except Refused as refused:
        return _shown(call, refused)
    return call.redirect(f"/data/{data_set}", "copy-begun")


@page("POST", "/data/{data_set}/delete", "data:delete", DATA, "data_set")
def delete(call: Call) -> Response:
    """Delete a data set, or give up its upload."""
    data_set = call.parameter("data_set")
    try:
        call.perform(delete_data_set.command(call.who, data_set=data_set))
    except Refused as refused:
        return _shown(call, refused)
    delete_data_set.finish_deletions(call.application)
    return call.redirect(f"/data/{data_set}", "data-deleted")


def _take(call: Call, offset: int, body: bytes) -> int | Refusal:
    reception = Reception(call.application, call.parameter("data_set"))
    problem = reception.open(offset)
    if problem is not None:
        return problem
    problem = reception.write(body)
    closed = reception.close()
    return problem if problem is not None else closed


def _shown(call: Call, refused: Refused | None = None) -> Response:
    facts = _facts(call)
    place: Place = (DATA, facts["data_set"])
    return call.render(
        "data/show.html",
        status=200 if refused is None else 422,
        refusals=() if refused is None else refused.refusals,
        data=facts,
        project=call.application.reader.row("projects", facts["project"]),
        stages=STAGES,
        classes=CLASSES,
        sites=call.ask(lambda state, now: _further_sites(state, facts)) if facts["stage"] == Stage.READY.value else {},
        may={what: call.may(f"data:{what}", place) for what in ("download", "copy", "delete", "prove")},
        form_id=call.new_form_id(),
    )


def _further_sites(state: FactoryState, facts: Row) -> dict[str, str]:
    """Return the sites that have no copy yet, each with its country."""
    there = {one["site"] for one in facts["places"]}
    return {site.site: f"{site.site} ({site.country})" for site in state.sites.values() if site.site not in there}


def _facts(call: Call) -> Row:
    found = read_data_set.facts(call.application, call.parameter("data_set"))
    if found is None:
        raise Refused(ABSENT)
    return found


def _number(form: Form, name: str) -> int | None:
    text = form.text(name)
    if not text:
        return None
    if not text.isdecimal() or len(text) > 18:
        what = f"{text[:40]!r} is not a whole number"
        raise Refused(Refusal(Reason.INVALID_ARGUMENT, what, "Write a whole number, or leave it empty", name))
    return int(text)


def _told(call: Call, refusal: Refusal) -> Response:
    """Return a refusal in the page's language, for its script to show."""
    told = call.speech.told(refusal)
    values: dict[str, Any] = {"reason": refusal.reason.value, "title": told.title, "what": told.what, "do": told.do}
    return _json(values, 410 if refusal.reason is Reason.DATA_DELETED else 409)


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content, enc_hook=str), status, {"Cache-Control": "no-store"}, "application/json")


PAGES = (list_data, begin, progress, take_piece, show_data, send_content, send_certificate, copy, delete)
NAVIGATION = (NavEntry("/data", N_("Data"), "project:read", 450),)
NOTICES = {
    "copy-begun": N_("A copy is on its way."),
    "data-deleted": N_("The data set is deleted at all its places. Keep the certificate."),
}
