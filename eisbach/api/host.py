"""What all calls of one API server share: the application, the way back from its thread, streams, the end."""

import asyncio
from dataclasses import dataclass, field

from eisbach.api.settling import Settling
from eisbach.app.application import Application
from eisbach.app.commands import Actor, Role
from eisbach.core.jobs.task_file import TaskDefaults

STREAMS_MAX = 512
NOBODY = Actor(token="", role=Role.VIEWER)
"""Who calls a public route."""


@dataclass(slots=True)
class Host:
    """One API server's surroundings. `streams` holds what ends each open stream."""

    application: Application
    task_defaults: TaskDefaults
    settling: Settling = field(default_factory=Settling)
    streams: set[asyncio.Event] = field(default_factory=set)

    def close_streams(self) -> None:
        """End every open stream with an event that says so. Called on the event loop's thread."""
        for stream in list(self.streams):
            stream.set()
