"""Events about public promises: what was said, and every later wording of it. Nothing here is a tenant's text."""

from eisbach.app.event_body import Body


class PromiseRecorded(Body, frozen=True):
    """A promise entered the register with its first wording; `value_milli` is in thousandths of `unit`.

    `date`, `due` and `counted_from` are ISO dates, empty where there is none.
    """

    promise: str
    metric: str
    title: str
    title_de: str
    counted_from: str
    due: str
    quote: str
    language: str
    date: str
    speaker: str
    source: str
    url: str
    evidence: str
    comparison: str
    value_milli: int
    unit: str


class PromiseRestated(Body, frozen=True):
    """Another wording of a recorded promise; all earlier ones stay.

    `cause` is `later-wording` where the register names one more public sentence, and `register-edited` where it says
    something else about a sentence that it named before.
    """

    promise: str
    cause: str
    metric: str
    title: str
    title_de: str
    counted_from: str
    due: str
    quote: str
    language: str
    date: str
    speaker: str
    source: str
    url: str
    evidence: str
    comparison: str
    value_milli: int
    unit: str


class PromiseDropped(Body, frozen=True):
    """The register no longer names a promise (`dropped`), or names it again; it stays visible either way."""

    promise: str
    dropped: bool


KINDS: dict[str, type[Body]] = {
    "promise.recorded": PromiseRecorded,
    "promise.restated": PromiseRestated,
    "promise.dropped": PromiseDropped,
}
