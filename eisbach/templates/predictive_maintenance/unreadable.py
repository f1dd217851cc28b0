"""The one error for input that cannot be used: what was found, where, and what to do about it."""


class Unreadable(Exception):
    """Ends the program with one line for the person who brought the data."""

    def __init__(self, what: str, do: str, line: int | None = None, value: str | None = None) -> None:
        where = f"line {line}: " if line is not None else ""
        shown = f" ({shortened(value)!r})" if value is not None else ""
        super().__init__(f"{where}{what}{shown}. {do}")
        self.what, self.do, self.line, self.value = what, do, line, value


def shortened(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
