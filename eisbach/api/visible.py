"""Which organisations a caller's lists cover."""

from eisbach.api.access import Call
from eisbach.app import visible


def organisations_of(call: Call) -> tuple[str, ...] | None:
    """Return the caller's organisation and all below it, or None where the caller is bound to none and sees all."""
    return visible.organisations_of(call.application.reader, call.actor)
