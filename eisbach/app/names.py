"""What a name of an organisation, project, token or secret may look like."""

from eisbach.core.vocabulary.reasons import Reason, Refusal

NAME_LENGTH_MAX = 63


def check_name(name: object, what: str) -> Refusal | None:
    """Return why a text cannot be the name of `what`, or None."""
    if not isinstance(name, str) or not name.strip():
        return Refusal(Reason.INVALID_ARGUMENT, f"The name of the {what} is empty", "Give it a name", "name")
    if len(name) > NAME_LENGTH_MAX:
        return Refusal(
            Reason.INVALID_ARGUMENT,
            f"The name of the {what} has {len(name)} characters",
            f"Use at most {NAME_LENGTH_MAX}",
            "name",
        )
    if not name.isprintable() or name != name.strip():
        return Refusal(
            Reason.INVALID_ARGUMENT,
            f"The name {name!r} of the {what} has control characters or spaces at its ends",
            "Use printable characters",
            "name",
        )
    return None
