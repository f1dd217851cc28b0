"""A visitor of the portal without a browser: follows links, fills in the forms that the pages show, keeps cookies.

It sends only what a page offers: a field that no form has cannot be filled in.
"""

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar, DefaultCookiePolicy

from story.checks import StepFailed

TIMEOUT_S = 30.0


@dataclass(slots=True)
class Form:
    """A form of a page: where it goes, how, and what its fields hold."""

    action: str
    method: str
    name: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Visit:
    """A page that was answered: its address, status, text as a reader sees it, links and forms."""

    url: str
    status: int
    language: str
    text: str
    html: str
    links: dict[str, str]
    forms: list[Form]

    def form(self, part_of_action: str) -> Form:
        """Return the form whose action contains a text; raise StepFailed."""
        for form in self.forms:
            if part_of_action in form.action:
                return form
        has = ", ".join(form.action for form in self.forms) or "none"
        raise StepFailed(f"the page {self.url} has no form for {part_of_action!r}; it has {has}")


class Browser:
    """One visitor with one cookie jar and one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        # Sessions of loopback addresses are cookies of a host without dots; the standard policy takes them.
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(CookieJar(DefaultCookiePolicy())), urllib.request.ProxyHandler({})
        )
        self._at = ""

    def open(self, url: str) -> Visit:
        """Go to an address, absolute or as a page names it."""
        return self._visit(urllib.request.Request(urllib.parse.urljoin(self._at, url)))

    def send(self, visit: Visit, form: Form, values: Mapping[str, str]) -> Visit:
        """Fill in a form and send it; raise StepFailed for a field that it has not."""
        unknown = [name for name in values if name not in form.fields and name not in form.choices]
        if unknown:
            raise StepFailed(f"the form {form.action} has no field {unknown[0]!r}; it has {', '.join(form.fields)}")
        content = urllib.parse.urlencode({**form.fields, **values})
        address = urllib.parse.urljoin(visit.url, form.action)
        if form.method == "get":
            return self.open(f"{address}?{content}")
        origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(visit.url))
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin, "Referer": visit.url}
        return self._visit(urllib.request.Request(address, content.encode(), headers))

    def download(self, url: str) -> bytes:
        """Return what stands at an address; raise StepFailed where nothing does."""
        request = urllib.request.Request(urllib.parse.urljoin(self._at, url))
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            raise StepFailed(f"{url} answers {error.code}") from error

    def _visit(self, request: urllib.request.Request) -> Visit:
        request.add_header("Accept-Language", self.language)
        request.add_header("Accept", "text/html")
        try:
            answer = self._opener.open(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            answer = error  # a page too: refusals are shown on pages
        except urllib.error.URLError as error:
            raise StepFailed(f"{request.full_url} cannot be reached: {error.reason}") from error
        with answer:
            html = answer.read().decode("utf-8", "replace")
            url, status = answer.geturl(), answer.status
        self._at = url
        page = _Page()
        page.feed(html)
        return Visit(url, status or 0, page.language, " ".join("".join(page.words).split()), html, page.links, page.forms)


class _Page(HTMLParser):
    """Reads the text, the links by their words, and the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: dict[str, str] = {}
        self.forms: list[Form] = []
        self.language = ""
        self._link: tuple[str, list[str]] | None = None
        self._form: Form | None = None
        self._choice = ""
        self._area = ""
        self._hidden = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        has = {name: value or "" for name, value in attributes}
        if tag == "html":
            self.language = has.get("lang", "")
        elif tag in ("script", "style", "template"):
            self._hidden += 1
        elif tag == "a" and "href" in has:
            self._link = (has["href"], [])
        elif tag == "form":
            self._form = Form(has.get("action", ""), has.get("method", "get").lower(), has.get("id", ""))
            self.forms.append(self._form)
        elif self._form is not None and "name" in has:
            self._field(tag, has)
        elif tag == "option" and self._form is not None and self._choice:
            self._option(self._form, has)
        if tag in ("p", "li", "td", "th", "h1", "h2", "h3", "dt", "dd", "br", "div", "option", "label"):
            self.words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        if tag in ("script", "style", "template"):
            self._hidden -= 1
        elif tag == "a" and self._link is not None:
            self.links.setdefault(" ".join("".join(self._link[1]).split()), self._link[0])
            self._link = None
        elif tag == "form":
            self._form = None
        elif tag == "select":
            self._choice = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        """Read words."""
        if self._hidden:
            return
        if self._area and self._form is not None:
            self._form.fields[self._area] += data
        self.words.append(data)
        if self._link is not None:
            self._link[1].append(data)

    def _field(self, tag: str, has: Mapping[str, str]) -> None:
        assert self._form is not None
        name = has["name"]
        if tag == "select":
            self._choice = name
            self._form.choices[name] = []
        elif tag == "textarea":
            self._area = name
            self._form.fields[name] = ""
        elif tag == "button" or has.get("type") == "submit":
            if "value" in has:
                self._form.choices.setdefault(name, []).append(has["value"])
        elif has.get("type") in ("radio", "checkbox"):
            self._form.choices.setdefault(name, []).append(has.get("value", "on"))
            if "checked" in has:
                self._form.fields[name] = has.get("value", "on")
        elif tag == "input":
            self._form.fields[name] = has.get("value", "")

    def _option(self, form: Form, has: Mapping[str, str]) -> None:
        choices = form.choices[self._choice]
        choices.append(has.get("value", ""))
        if "selected" in has or len(choices) == 1:
            form.fields[self._choice] = choices[-1] if "selected" in has else form.fields.get(self._choice, choices[0])
