"""Ports that nobody asks in the twin: there are no faces, no files, no secrets, and no head is signed."""

from typing import Any, NoReturn


class Absent:
    """Stands for a port; whoever asks it anything after all is told so."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __getattr__(self, name: str) -> Any:
        raise NotImplementedError(f"the twin has no {self._what} and was asked for its {name}")


class Unsigned:
    """A signer with a name and no key: for a store that keeps no heads."""

    public_key = bytes(32)

    def __init__(self, name: str) -> None:
        self.name = name

    def sign(self, message: bytes) -> NoReturn:
        """Raise: a head that nobody signed must not look like one."""
        raise NotImplementedError("this world's log has a root, and no signed head")
