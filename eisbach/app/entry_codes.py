"""One-time codes that open the portal: short-lived, single use, known only by their hash, in this server's memory.

A restart forgets them, which loses nothing: whoever may hand one out hands out another. What a code opens is a session,
and a session is an ordinary token (app/issue_token.py), so the log shows every entry.
"""

import threading
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from eisbach.app.commands import Actor, Answer, Role
from eisbach.core.vocabulary.quantities import MINUTE_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.clock import Clock
from eisbach.ports.ids import Ids

LIFETIME_MS = 30 * MINUTE_MS
CODES_MAX = 1_000
"""Codes that may be open at once; above that the oldest are forgotten."""


class Entry(msgspec.Struct, kw_only=True):
    """What a code opens: a session with a role, bound as tokens are; no role stands for the sign-up of a new organisation."""

    role: Role | None
    organisation: str | None
    project: str | None
    by: Actor
    expires_ms: int
    form: str = ""
    answer: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """once used: hash of the form that used it and what that was answered, for the same form sent twice"""

    @property
    def is_used(self) -> bool:
        """Return whether somebody entered with it."""
        return bool(self.form)


class EntryCodes:
    """The open codes of one server. May be called from any thread."""

    def __init__(self, ids: Ids, clock: Clock) -> None:
        self._ids, self._clock = ids, clock
        self._entries: dict[str, Entry] = {}
        self._lock = threading.Lock()

    def offer(
        self, actor: Actor, *, role: Role | None, organisation: str | None = None, project: str | None = None
    ) -> tuple[str, int]:
        """Return a new code and the instant at which it expires. Whether the actor may is asked before."""
        code = self._ids.secret()
        expires_ms = self._clock.wall() + LIFETIME_MS
        entry = Entry(role=role, organisation=organisation, project=project, by=actor, expires_ms=expires_ms)
        with self._lock:
            self._forget_old()
            self._entries[_digest(code)] = entry
        return code, expires_ms

    def look(self, code: str) -> Entry | None:
        """Return what a code opens, None where it is unknown or expired; looking uses nothing up."""
        with self._lock:
            self._forget_old()
            return self._entries.get(_digest(code))

    def use(self, code: str, form: str, enter: Callable[[Entry], Answer]) -> Answer:
        """Return what `enter` answers and use the code up; the same form sent again gets the same answer.

        A code stays usable when `enter` refuses (a name that is taken, say).
        """
        with self._lock:
            self._forget_old()
            entry = self._entries.get(_digest(code))
            if entry is None or (entry.is_used and entry.form != _digest(form)):
                return Refusal(
                    Reason.UNAUTHENTICATED,
                    "This link is unknown, was used already or has expired",
                    "Get another one with `eisbach portal`",
                )
            if entry.is_used:
                return entry.answer
            answer = enter(entry)
            if not isinstance(answer, Refusal):
                entry.form, entry.answer = _digest(form), answer
            return answer

    def _forget_old(self) -> None:
        now = self._clock.wall()
        expired = [digest for digest, entry in self._entries.items() if entry.expires_ms <= now]
        too_many = list(self._entries)[: max(0, len(self._entries) - len(expired) - CODES_MAX)]
        for digest in {*expired, *too_many}:
            del self._entries[digest]


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
