"""Settings: environment, XDG folders and the profile file, read once; timeouts and retention in one table each."""

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

PORT_DEFAULT = 8470
HOST_DEFAULT = "127.0.0.1"
PROFILE_FORMAT = "eisbach.profile/1"
PROFILE_KEYS = ("format", "url", "token", "token_file", "home", "organisation", "project")


class Timeouts(NamedTuple):
    """How long is waited for what, in seconds."""

    connect_s: float = 5.0
    """until a connection to the factory stands"""
    answer_s: float = 60.0
    """until a call is answered; an upload gets this for each piece"""
    stream_silent_s: float = 45.0
    """without a sign of life on a stream before it counts as lost; the server sends one every 15 seconds"""
    reconnect_s: float = 600.0
    """how long a follower of logs looks for a factory that went away"""
    server_ready_s: float = 60.0
    """until a server started in the background must answer"""
    server_stop_s: float = 30.0
    """until a server asked to stop must be gone"""


class Retention(NamedTuple):
    """How long what is kept, in days."""

    replies_days: int = 1
    """answers under an idempotency key"""
    attempt_logs_days: int = 30
    """the output of a job's attempts, after the job ended"""
    outputs_days: int = 30
    """the outputs (artifacts) of a job's attempts, after the job ended"""
    checkpoints_days: int = 7
    """the checkpoint folder of a job, after the job ended"""
    archives_days: int = 30
    """an uploaded working directory, after it was last uploaded or submitted with a job"""
    uploads_days: int = 7
    """an unfinished upload of a data set, after it was begun"""


class Storage(NamedTuple):
    """How much may be kept, in GiB."""

    project_gib_max: int = 500
    """the data sets of a project, each copy counted, unfinished uploads in full"""
    file_gib_max: int = 100
    """one data set"""


TIMEOUTS = Timeouts()
RETENTION = Retention()
STORAGE = Storage()


class SettingsError(Exception):
    """A setting cannot be used; the message says which one, its value, and what to do."""


class Profile(NamedTuple):
    """What the command line remembers: which factory, as whom, and in which project unless told otherwise.

    `home` is the home of a factory on this machine that the profile was written for, None for one elsewhere.
    """

    url: str | None = None
    token: str | None = None
    token_file: Path | None = None
    home: Path | None = None
    organisation: str | None = None
    project: str | None = None


class Settings(NamedTuple):
    """What the environment and the profile say. `url`, `token` and `project` are overrides of the environment."""

    home: Path
    home_is_given: bool
    profile_file: Path
    profile: Profile
    url: str | None
    token: str | None
    project: str | None
    python: str = sys.executable


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of this process; raise SettingsError for what cannot be used."""
    env = os.environ if environment is None else environment
    home = _absolute("EISBACH_HOME", env)
    profile_file = _xdg(env, "XDG_CONFIG_HOME", ".config") / "eisbach" / "profile.toml"
    return Settings(
        home=home or _xdg(env, "XDG_DATA_HOME", ".local/share") / "eisbach",
        home_is_given=home is not None,
        profile_file=profile_file,
        profile=read_profile(profile_file),
        url=_url(env),
        token=env.get("EISBACH_TOKEN", "").strip() or None,
        project=env.get("EISBACH_PROJECT", "").strip() or None,
    )


def own_environment() -> Mapping[str, str]:
    """Return this process's environment: for `--env NAME`, which passes a variable on, and for programs it starts."""
    return os.environ


def scratch_root() -> Path | None:
    """Return where workspaces lie that other users must reach while the home is closed to them; None: the default."""
    return _absolute("EISBACH_SCRATCH", os.environ)


def may_run_compiled() -> bool:
    """Return whether `eisbach twin` may run the compiled modules of `make fast`; EISBACH_COMPILED=no forbids it."""
    return os.environ.get("EISBACH_COMPILED", "").strip() != "no"


def read_profile(file: Path) -> Profile:
    """Return the profile in a file, an empty one where there is none; raise SettingsError when it is damaged.

    A file that others may read is refused when it holds a token itself.
    """
    try:
        with open(file, "rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            content = opened.read()
    except FileNotFoundError:
        return Profile()
    except OSError as error:
        raise SettingsError(f"The profile {file} cannot be read: {error.strerror}") from error
    values = _profile_values(file, content)
    if "token" in values and mode & 0o077:
        raise SettingsError(
            f"The profile {file} holds a token and has mode {mode:04o}, so others can read it. Run: chmod 600 {file}"
        )
    return Profile(
        url=values.get("url"),
        token=values.get("token"),
        token_file=_path(values.get("token_file")),
        home=_path(values.get("home")),
        organisation=values.get("organisation"),
        project=values.get("project"),
    )


def _profile_values(file: Path, content: bytes) -> dict[str, str]:
    import tomllib  # it costs every command some milliseconds, and only one with a profile needs it

    try:
        values = tomllib.loads(content.decode())
    except ValueError as error:
        raise SettingsError(
            f"The profile {file} is not valid TOML ({error}). Mend it, or delete it and run `eisbach login`"
        ) from error
    if values.pop("format", PROFILE_FORMAT) != PROFILE_FORMAT:
        raise SettingsError(f"The profile {file} was written by a newer version of Eisbach. Update this one")
    for key, value in values.items():
        if key not in PROFILE_KEYS:
            raise SettingsError(f"The profile {file} has an unknown key {key!r}. Known are {', '.join(PROFILE_KEYS)}")
        if not isinstance(value, str):
            raise SettingsError(f"The profile {file} has {key} = {value!r}, which must be a text in quotes")
    return values


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _xdg(env: Mapping[str, str], name: str, otherwise: str) -> Path:
    """Return an XDG base folder; relative values are to be ignored (XDG Base Directory Specification 0.8)."""
    given = env.get(name, "")
    return Path(given) if given.startswith("/") else Path(env.get("HOME") or Path.home()) / otherwise


def _absolute(name: str, env: Mapping[str, str]) -> Path | None:
    given = env.get(name, "")
    return Path(given).expanduser().absolute() if given else None


def _url(env: Mapping[str, str]) -> str | None:
    given = env.get("EISBACH_URL", "").strip().rstrip("/")
    if given and not given.startswith(("http://", "https://")):
        raise SettingsError(f"EISBACH_URL is {given!r}; it must start with http:// or https://")
    return given or None
