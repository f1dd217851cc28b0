"""Checks a proof of residency: the bundle as every bundle, then its events against one another and against the rules."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from eisbach.app.prove_residency import event_told, statement_of
from eisbach.cli.bundle_check import BundleWrong, Verified, check_bundle
from eisbach.core.policy.residency import LogEvent, ResidencyWrong, check_stated

Json = dict[str, Any]


class ProofWrong(Exception):
    """The file does not prove what it says; the message names what does not fit."""


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof of residency proves: the bundle's facts, and the statement evaluated from its events."""

    verified: Verified
    statement: Json

    def words(self) -> list[str]:
        """Return it as lines for a person."""
        verdict = "and no rule was broken" if self.statement["is_clean"] else "AND A RULE WAS BROKEN: see below"
        limits = [f"  - {line}" for line in self.statement["does_not_prove"]]
        return [f"VERIFIED: {self.verified.leaves} events under one signed head, {verdict}", *self.statement["text"], "It does not prove:", *limits]


def check_residency(lines: Callable[[], Iterable[bytes]], key: str | None) -> Proven:
    """Return what a proof proves; raise ProofWrong. The statement in the file is not believed but made again."""
    try:
        verified = check_bundle(lines(), key)
        bundle = json.loads(b"".join(lines()))
        events = [_event(leaf) for leaf in bundle["leaves"]]
        return Proven(verified, statement_of(check_stated(events)))
    except (BundleWrong, ResidencyWrong) as error:
        raise ProofWrong(str(error)) from error
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ProofWrong(f"this is no proof of residency ({type(error).__name__}: {error})") from error


def _event(leaf: Json) -> LogEvent:
    return event_told(json.loads(b64decode(leaf["data"])))
