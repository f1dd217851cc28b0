"""Leaving: everything of an organisation as one package, to download; and what arrived with one that was imported."""

from starlette.responses import Response, StreamingResponse

from eisbach.app import compare_import, export_organisation
from eisbach.app.authorise import ABSENT
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.portal.access import ORGANISATION, OWN, page
from eisbach.portal.call import Call
from eisbach.portal.forms import Refused

ORGANISATIONS_SHOWN = 200


@page("GET", "/package", "organisation:read", OWN)
def choose(call: Call) -> Response:
    """Lead to the package of one's own organisation; an operator chooses among all."""
    own = call.who.organisation
    if own is not None:
        return call.redirect(f"/organisations/{own}/package")
    rows = call.application.reader.rows("organisations", {}, limit=ORGANISATIONS_SHOWN).rows
    return call.render("package/list.html", organisations=rows)


@page("GET", "/organisations/{organisation}/package", "organisation:read", ORGANISATION, "organisation")
def show(call: Call) -> Response:
    """Say what leaves with an organisation and what does not; for an imported one, what arrived."""
    organisation = call.parameter("organisation")
    row = call.application.reader.row("organisations", organisation)
    if row is None:
        raise Refused(ABSENT)
    compared = None
    if call.application.reader.row("imports", organisation) is not None:
        compared = compare_import.compare(call.application, organisation)
        if isinstance(compared, Refusal):
            raise Refused(compared)
    may_export = call.may("organisation:export", (ORGANISATION, organisation))
    return call.render("package/show.html", row=row, compared=compared, may_export=may_export)


@page("POST", "/organisations/{organisation}/package", "organisation:export", ORGANISATION, "organisation")
def send(call: Call) -> Response:
    """Send the package, always as a download; the log notes who took it."""
    organisation = call.parameter("organisation")
    begun = export_organisation.begin(call.application, call.who, organisation)
    if isinstance(begun, Refusal):
        raise Refused(begun)
    headers = {"Content-Disposition": f'attachment; filename="{organisation}.tar"', "Cache-Control": "no-store"}
    return StreamingResponse(iter(export_organisation.packed(begun)), headers=headers, media_type="application/x-tar")


PAGES = (choose, show, send)
