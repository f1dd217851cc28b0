"""`eisbach version`: the versions of client and factory."""

import platform

from eisbach import __version__
from eisbach.cli.errors import CliError
from eisbach.cli.output import Format, Output, document, pairs, show
from eisbach.cli.session import Session


def version(output_format: Output = Format.TABLE) -> None:
    """Print the versions of client and factory."""
    factory, url, error = None, None, None
    try:
        session = Session()
        url = session.client.url
        factory = session.client.get("/v1/version")
    except CliError as cause:
        error = cause.what
    doc = document("version", client=__version__, python=platform.python_version(), url=url, factory=factory)
    answer = f"{factory['software']} (API {factory['api']}) at {url}" if factory else f"unknown: {error}"
    show(
        doc,
        output_format,
        lambda is_wide: pairs([("eisbach", __version__), ("python", platform.python_version()), ("factory", answer)]),
    )
