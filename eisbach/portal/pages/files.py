"""Static files: public, checked against a list, kept by browsers for as long as their content stays the same."""

from starlette.responses import FileResponse, Response

from eisbach.app.authorise import ABSENT
from eisbach.portal.access import public_page
from eisbach.portal.call import Call
from eisbach.portal.forms import Refused
from eisbach.portal.statics import static_files

FOREVER = "public, max-age=31536000, immutable"
BRIEFLY = "public, max-age=300"


@public_page("GET", "/static/{name}")
def send_file(call: Call) -> Response:
    """Send a static file."""
    found = static_files().get(call.parameter("name"))
    if found is None:
        raise Refused(ABSENT)
    is_exact = call.query("v") == found.version
    return FileResponse(found.path, media_type=found.media_type, headers={"Cache-Control": FOREVER if is_exact else BRIEFLY})


@public_page("GET", "")
def show_home(call: Call) -> Response:
    """Lead to the home page, which ends with a slash."""
    return call.redirect("/")


PAGES = (send_file, show_home)
