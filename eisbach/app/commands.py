"""What a face hands to the application: who asks, a command that the applier decides, and what comes back."""

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from eisbach.app.events import Body
from eisbach.core.vocabulary.quantities import Instant
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.ports.ids import Ids
from eisbach.ports.store import KEEPS_ALL, Keeps, Text

if TYPE_CHECKING:
    from eisbach.app.state import FactoryState


class Role(Enum):
    """What a token may do: everything, read everything, run an organisation, work in a project, look at a project."""

    OPERATOR = "operator"
    AUDITOR = "auditor"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: a token's id, its role, and the organisation and project it is bound to (None: not bound)."""

    token: str
    role: Role
    organisation: str | None = None
    project: str | None = None


NOTHING: Mapping[str, Any] = MappingProxyType({})
SYSTEM = Actor(token="system", role=Role.OPERATOR)
"""The factory itself: rounds, engine observations, start."""


class IdempotencyKey(msgspec.Struct, frozen=True, kw_only=True):
    """A client's key: `scope` is the project (or `-`) and the route; the same key with another body is refused."""

    scope: str
    key: str
    body_digest: str


class Context(msgspec.Struct, frozen=True):
    """What a decision may use besides the state: its instant, a source of ids, the leader's epoch, what is kept of it."""

    now: Instant
    ids: Ids
    epoch: int
    keeps: Keeps = KEEPS_ALL


class Decision(msgspec.Struct, frozen=True):
    """What a command changes: events in order, the texts they commit to, and the reply to whoever asked.

    `status` is what the reply is stored with under an idempotency key. `secret_reply` is merged into the answer but
    never stored (a new token's secret).
    """

    events: tuple[Body, ...] = ()
    texts: tuple[Text, ...] = ()
    reply: Mapping[str, Any] = NOTHING
    secret_reply: Mapping[str, Any] = NOTHING
    status: int = 200
    erased: tuple[str, ...] = ()
    """ids of texts that are erased for good in the same commit"""
    replies_kept_from_ms: int | None = None
    """answers kept under idempotency keys before this instant are deleted"""
    refusal: Refusal | None = None
    """the answer is this refusal, and it stands in the log: its values get `log_position`, the seq of the first event"""
    again: bool = False
    """decide the same command once more after these events have become true (a month was opened, say)"""


Command = Callable[["FactoryState", Context], "Decision | Refusal"]
"""Decides on the applier's thread; reads the state, changes nothing."""

Answer = Mapping[str, Any] | Refusal
"""What a face gets back once the decision is durable."""
