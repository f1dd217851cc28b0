"""`eisbach secret`: secrets of a project. A value comes from stdin or a prompt, never from the command line."""

import sys
from typing import Annotated

import typer

from eisbach.cli.client import segment
from eisbach.cli.errors import usage_error
from eisbach.cli.jobs import Project
from eisbach.cli.output import Format, Output, document, show, table
from eisbach.cli.resolve import find_project
from eisbach.cli.session import Session
from eisbach.cli.terminal import clean

Name = Annotated[str, typer.Argument(metavar="NAME", help="The environment variable that jobs get.")]
VALUE_CHARACTERS_MAX = 65_536


def set_secret(name: Name, project: Project = None, output_format: Output = Format.TABLE) -> None:
    """Store a secret, read from stdin or a prompt."""
    if "=" in name:
        raise usage_error(
            f"{name.partition('=')[0]} was given a value on the command line, where others can see it",
            "Replace that secret if the machine is shared; then give the value through stdin or the prompt",
        )
    value = secret_input(f"Value of {clean(name)}")
    session = Session()
    found = find_project(session, project)
    session.client.put(f"/v1/projects/{found['project']}/secrets/{segment(name)}", {"value": value})
    words = f"Stored {clean(name)} in project {clean(found['name'])}. Jobs get it with --secret {clean(name)}."
    doc = document("secret", name=name, project=found["project"], is_stored=True)
    show(doc, output_format, lambda is_wide: print(words))


def list_secrets(project: Project = None, output_format: Output = Format.TABLE) -> None:
    """List the names of the project's secrets."""
    session = Session()
    found = find_project(session, project)
    names = [one["name"] for one in session.client.pages(f"/v1/projects/{found['project']}/secrets")]
    doc = document("secrets", project=found["project"], names=names)
    show(doc, output_format, lambda is_wide: table(["NAME"], [[name] for name in names], empty="No secrets."))


def delete(name: Name, project: Project = None, output_format: Output = Format.TABLE) -> None:
    """Delete a secret of the project."""
    session = Session()
    found = find_project(session, project)
    session.client.delete(f"/v1/projects/{found['project']}/secrets/{segment(name)}")
    doc = document("secret", name=name, project=found["project"], is_stored=False)
    show(doc, output_format, lambda is_wide: print(f"Deleted {clean(name)}."))


def secret_input(question: str) -> str:
    """Return what a person types unseen, or what stands in stdin without its last newline."""
    if sys.stdin.isatty():
        value: str = typer.prompt(question, hide_input=True, err=True)
        return value
    value = sys.stdin.read(VALUE_CHARACTERS_MAX + 2).removesuffix("\n").removesuffix("\r")
    if not value:
        raise usage_error("Stdin holds no value", "Pipe it in, for example from a file: eisbach secret set NAME < FILE")
    if len(value) > VALUE_CHARACTERS_MAX:
        raise usage_error(f"The value has more than {VALUE_CHARACTERS_MAX} characters", "Store a smaller one")
    return value
