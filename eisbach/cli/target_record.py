"""Before a backup or the log is written to a site: whether the rules allow it, put on record by the server or without one."""

from pathlib import Path
from typing import Any

from eisbach.cli.client import Client
from eisbach.cli.errors import CliError, problem_error
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.server_process import running_server
from eisbach.core.vocabulary.reasons import Refusal

OPERATOR_TOKEN = "operator.token"
Json = dict[str, Any]


def record_backup(home: Path, site: str | None) -> Json:
    """Put on record that a backup of a home goes to a site; raise CliError where rules forbid it.

    A server that runs is asked. Without one the same decision is made here on the home itself, under its lock, and written into its
    log.
    """
    server = running_server(home)
    if server is not None:
        token = (home / OPERATOR_TOKEN).read_text(encoding="utf-8").strip()
        made: Json = Client(server.url, token).post("/v1/targets", {"use": "backup", "site": site})
        return made
    from eisbach import offline, wiring  # here and not above: they bring the whole server with them
    from eisbach.app import use_target
    from eisbach.app.commands import SYSTEM

    try:
        answer = offline.decide(home, use_target.command(SYSTEM, use="backup", site=site))
    except wiring.CannotStart as error:
        raise CliError(str(error), code=ExitCode.UNAVAILABLE) from error
    if not isinstance(answer, Refusal):
        return dict(answer)
    told = {"reason": answer.reason.value, "detail": str(answer), "values": dict(answer.values)}
    raise problem_error(422, {**told, "errors": [told]})
