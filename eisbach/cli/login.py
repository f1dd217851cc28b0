"""`eisbach login`: remembers a factory and a token in the profile."""

from typing import Annotated
from urllib.parse import urlsplit

import typer

from eisbach.cli.client import Client
from eisbach.cli.errors import usage_error
from eisbach.cli.output import Format, Output, document, show
from eisbach.cli.profile import write_profile
from eisbach.cli.project_secrets import secret_input
from eisbach.cli.session import settings
from eisbach.cli.terminal import say
from eisbach.settings import Profile

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def login(
    url: Annotated[str | None, typer.Option("--url", help="The factory's address, such as https://factory.example.")] = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Remember a factory and a token for this command line."""
    found = settings()
    address = (url or found.url or found.profile.url or "").rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise usage_error(f"--url {address!r} is no address of a factory", "Write for example https://factory.example")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        say(f"Careful: {address} is not encrypted, so the token can be read on its way. Use https where you can.")
    token = secret_input("Token").strip()
    who = Client(address, token).get("/v1/me")
    profile = Profile(url=address, token=token, organisation=who.get("organisation"), project=who.get("project"))
    write_profile(found.profile_file, profile)
    words = f"Logged in at {address} with the role {who['role']}; remembered in {found.profile_file}."
    show(document("login", url=address, role=who["role"]), output_format, lambda is_wide: print(words))
