"""Functions of values whose classes stay Python: compiled by tests/test_python_classes.py, they are to do as they do here."""

from dataclasses import dataclass
from typing import Any, NamedTuple


class Point(NamedTuple):
    x: int
    name: str = "p"
    rest: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    first: int
    second: str = "s"


@dataclass(slots=True, kw_only=True)
class Sum:
    one: int
    other: int | None = None
    sum: int = 0

    def __post_init__(self) -> None:
        self.sum = self.one + (self.other or 0)


def read_x(value: Any) -> Any:
    return value.x


def read_name(point: Point) -> str:
    return point.name


def call_get(value: Any, key: Any) -> Any:
    return value.get(key)


def call_get_named(value: Any, key: Any) -> Any:
    return value.get(key=key)


def read_get(value: Any) -> Any:
    return value.get


def make_of(made: Any, values: Any) -> Any:
    return made(values)


def make(made: Any) -> Any:
    return made(1, rest=(2,))


def make_named(made: Any) -> Any:
    return made(name="n", x=1)


def make_without_first(made: Any) -> Any:
    return made(name="n")


def make_twice(made: Any) -> Any:
    return made(1, x=2)


def make_unknown(made: Any) -> Any:
    return made(1, y=2)


def make_many(made: Any, *values: Any) -> Any:
    return made(*values)


def make_point(x: int) -> Point:
    return Point(x, rest=(x, x))


def make_pair(first: int) -> Pair:
    return Pair(first)


def make_sum(one: int, other: int | None) -> Sum:
    return Sum(other=other, one=one)
