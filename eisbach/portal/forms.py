"""Forms as browsers send them: read within a limit, each field as text, amounts as people write them in their language."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from eisbach.core.vocabulary.money import parse_euro
from eisbach.core.vocabulary.reasons import Reason, Refusal

FORM_BYTES_MAX = 256 * 1024
FIELDS_MAX = 200
CSRF, FORM_ID = "csrf", "form_id"
_FORM_ID = re.compile(r"[A-Za-z0-9_-]{16,64}\Z")
_PLAIN = re.compile(r"[0-9]+(?:[.,][0-9]{1,2})?\Z")
_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?\Z")
_GROUPED = {
    "en": (re.compile(r"[0-9]{1,3}(?:,[0-9]{3})*(?:\.[0-9]{1,6})?\Z"), ",", "."),
    "de": (re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})*(?:,[0-9]{1,6})?\Z"), ".", ","),
}


class Refused(Exception):
    """A refusal on its way to the page that tells it."""

    def __init__(self, *refusals: Refusal) -> None:
        self.refusals = refusals
        super().__init__(str(refusals[0]))


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a sent form; `digest` names its content for idempotency."""

    fields: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""

    def text(self, name: str) -> str:
        """Return a field without spaces at its ends; empty where it is absent."""
        return self.fields.get(name, "").strip()

    @property
    def id(self) -> str:
        """Return the form's own random id, its idempotency key; empty where it is none."""
        sent = self.fields.get(FORM_ID, "")
        return sent if _FORM_ID.match(sent) else ""

    def prefixed(self, prefix: str) -> dict[str, str]:
        """Return the fields whose names begin so, without the beginning."""
        return {name.removeprefix(prefix): value for name, value in self.fields.items() if name.startswith(prefix)}


async def read_form(request: Request) -> Form:
    """Return the form in a request's body (application/x-www-form-urlencoded); raise Refused where it is too large or none."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            what = f"The form has more than {FORM_BYTES_MAX // 1024} KiB"
            raise Refused(Refusal(Reason.TOO_LARGE, what, "Send less"))
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except ValueError as error:
        what, do = "The form cannot be read", "Open the page anew and send the form from there"
        raise Refused(Refusal(Reason.INVALID_ARGUMENT, what, do)) from error
    fields = dict(reversed(pairs))  # of several fields with one name the first counts
    counted = sorted(pair for pair in pairs if pair[0] not in (CSRF, FORM_ID))
    return Form(fields, sha256(repr(counted).encode()).hexdigest())


def is_from_here(request: Request) -> bool:
    """Return whether a form was sent by a page of this very address: its Origin names the host that was asked.

    Only hosts are compared: behind a proxy that ends TLS the scheme differs. Without an Origin the browser's
    Sec-Fetch-Site decides; without both it is left to the session's own token.
    """
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site", "none") in ("same-origin", "none")
    try:
        asked = urlsplit(origin).netloc
    except ValueError:
        return False
    return bool(asked) and asked == request.headers.get("host", "")


def euro_of(form: Form, name: str, language: str) -> int:
    """Return the micro-euro of a field written as in its language (`1.234,50` or `1,234.50`); raise Refused."""
    text = form.text(name).removesuffix("EUR").removesuffix("€").strip()
    pattern, group, point = _GROUPED.get(language, _GROUPED["en"])
    if pattern.match(text):
        text = text.replace(group, "").replace(point, ".")
    elif _PLAIN.match(text):
        text = text.replace(",", ".")
    try:
        if not _DECIMAL.match(text):
            raise ValueError("no amount as people write it")
        return int(parse_euro(text))
    except ValueError as error:
        what = f"{form.text(name)!r} is not an amount in euro" if text else "The amount is empty"
        refusal = Refusal(Reason.INVALID_ARGUMENT, what, "Write for example 250 or 99.50", name, {"amount": form.text(name)})
        raise Refused(refusal) from error
