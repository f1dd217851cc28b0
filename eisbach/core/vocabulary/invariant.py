"""Broken invariants crash: the one way to say so."""


class BrokenInvariant(AssertionError):
    """The program contradicts itself; the message is the invariant in words."""


def require(condition: bool, invariant: str) -> None:
    """Raise BrokenInvariant with the invariant in words unless `condition` holds."""
    if not condition:
        raise BrokenInvariant(invariant)
