"""Which factory a command talks to, as whom, and in which project: found once from settings."""

from pathlib import Path

from eisbach.cli.client import Client
from eisbach.cli.errors import CliError, usage_error
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.server_file import read_server_file
from eisbach.settings import Settings, SettingsError, read_settings


def settings() -> Settings:
    """Return the settings, or end the command with what is wrong with them."""
    try:
        return read_settings()
    except SettingsError as error:
        raise usage_error(str(error)) from error


class Session:
    """A factory and an identity. The order: environment, then a home named by EISBACH_HOME, then the profile.

    A token is only ever sent to the factory it was remembered with: EISBACH_URL without EISBACH_TOKEN sends the
    profile's token only where it is the profile's address.
    """

    def __init__(self, found: Settings | None = None) -> None:
        self.settings = found or settings()
        url, token = self._factory()
        self.client = Client(url, self.settings.token or token)

    @property
    def default_project(self) -> str | None:
        """The project that commands use unless told otherwise: a name or an id.

        The profile's is of the profile's factory; no other knows its id.
        """
        if self.settings.project is not None:
            return self.settings.project
        profile = self.settings.profile
        is_its_home = self.settings.url is None and profile.home == self.settings.home  # maybe at another port by now
        return profile.project if is_its_home or profile.url == self.client.url else None

    def _factory(self) -> tuple[str, str | None]:
        settings, profile = self.settings, self.settings.profile
        local = read_server_file(settings.home)
        local_token = None if local is None or local.token_file is None else Path(local.token_file)
        known = [(profile.url, profile.token, profile.token_file)]
        if local is not None:
            known.insert(0 if settings.home_is_given else 1, (local.url, None, local_token))
        elif settings.home_is_given and settings.url is None:
            raise CliError(
                f"No factory was started in {settings.home} (EISBACH_HOME)",
                f"Start it with `eisbach up --home {settings.home}`",
                ExitCode.UNAVAILABLE,
            )
        for url, token, token_file in known:
            if url is not None and settings.url in (None, url):
                return url, token or self._read(token_file)
        if settings.url is not None:
            return settings.url, None
        raise CliError(
            "This command line knows no factory yet",
            "Start one with `eisbach up`, or name one with `eisbach login --url URL`",
            ExitCode.UNAVAILABLE,
        )

    def _read(self, token_file: Path | None) -> str | None:
        if token_file is None or self.settings.token is not None:
            return None
        try:
            return token_file.read_text(encoding="utf-8").strip() or None
        except OSError as error:
            raise CliError(
                f"The token file {token_file} cannot be read: {error.strerror}",
                "Log in again with `eisbach login`, or give a token with EISBACH_TOKEN",
                ExitCode.DENIED,
            ) from error
