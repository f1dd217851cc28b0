"""Compiled modules reach classes that stay Python by a way of their own (scripts/python_classes.h): with the same result and errors."""

import ast
import dataclasses
import gc
import importlib.util
import inspect
import os
import shutil
import subprocess
import sys
import weakref
from collections import namedtuple
from functools import partial
from pathlib import Path

import msgspec
import pytest

from tests import of_python_classes as as_python

ROOT = Path(__file__).parents[1]


class Slots:
    __slots__ = ("x",)


class Dict:
    def __init__(self):
        self.x = "in its dictionary"
        self.get = lambda key: ("its own", key)

    def get(self, key):
        return ("the class's", key)


class Struct(msgspec.Struct, frozen=True):
    x: int


class Derived(Struct, frozen=True):
    y: int = 0


class Told:
    __slots__ = ()

    @property
    def x(self):
        return "by a property"

    def get(self, key):
        return key

    def __getattr__(self, name):
        return f"{name} by __getattr__"


class OtherPoint(as_python.Point):
    """It has a constructor of its own, and so is no plain named tuple."""

    def __new__(cls, x=7, name="other", rest=()):
        return super().__new__(cls, x, name, rest)


class ShorterPoint(as_python.Point):
    """It says of its names what its constructor does not know."""

    _fields = ("x",)


class UsualPoint(as_python.Point):
    _field_defaults = {"name": "usual", "rest": (3,)}


class StartedPoint(as_python.Point):
    def __init__(self, *args, **kwargs):
        self.started = (args, kwargs)


def _slots(x):
    made = Slots()
    made.x = x
    return made


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The functions as they are compiled."""
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("compiled")
    (folder / "pyproject.toml").write_text("[tool.mypy]\n")
    shutil.copy(ROOT / "tests/of_python_classes.py", folder)
    command = [sys.executable, str(ROOT / "scripts/run_mypyc.py"), "out", "of_python_classes.py"]
    made = subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    [file] = (folder / "out").glob("of_python_classes.*.so")
    sys.path.insert(0, str(folder / "out"))  # the code of all modules stands in a library beside them
    try:
        spec = importlib.util.spec_from_file_location("of_python_classes", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder / "out"))
    return module


def outcome(function, *args):
    """Return what a call gives, or the error it ends with."""
    try:
        return function(*args)
    except Exception as error:  # noqa: BLE001 (whatever it is, both are to end with it)
        return type(error), str(error)


PARTIALS = [
    partial(tuple.__new__, as_python.Point), partial(tuple.__new__, tuple), partial(tuple.__new__, OtherPoint), partial(tuple), partial(len),
    partial(tuple.__new__, as_python.Point, ()), partial(dict, x=1), partial(as_python.Point, 1), partial(tuple.__new__, dict),
]  # fmt: skip
READ = [as_python.Point(1), OtherPoint(2), _slots(3), Slots(), Dict(), Struct(4), Derived(5, 6), Told(), 3, None, Slots]
MADE = [as_python.Point, OtherPoint, ShorterPoint, UsualPoint, StartedPoint, tuple, dict, lambda *args, **kwargs: (args, kwargs), Struct]


@pytest.mark.prove
@pytest.mark.parametrize("value", READ, ids=lambda value: type(value).__name__)
def test_an_attribute_is_what_python_says(compiled, value):
    for _ in range(3):  # asked, known, known
        assert outcome(compiled.read_x, value) == outcome(as_python.read_x, value)


@pytest.mark.prove
@pytest.mark.parametrize("value", [{1: 2}, Dict(), Told(), Struct(1), 3], ids=lambda value: type(value).__name__)
def test_a_method_is_the_one_that_python_calls(compiled, value):
    for _ in range(3):
        assert outcome(compiled.call_get, value, 1) == outcome(as_python.call_get, value, 1)
        assert outcome(compiled.call_get_named, value, 1) == outcome(as_python.call_get_named, value, 1)


@pytest.mark.prove
@pytest.mark.parametrize("made", MADE, ids=lambda made: made.__name__)
def test_what_is_made_is_what_python_makes(compiled, made):
    for _ in range(3):
        for way in ("make", "make_named", "make_without_first", "make_twice", "make_unknown"):
            expected, found = outcome(getattr(as_python, way), made), outcome(getattr(compiled, way), made)
            assert (found, type(found), vars(type(found)).keys()) == (expected, type(expected), vars(type(expected)).keys()), way
            assert getattr(found, "started", None) == getattr(expected, "started", None)
        for values in ((), (1,), (1, "n"), (1, "n", ()), (1, "n", (), 4)):
            assert outcome(compiled.make_many, made, *values) == outcome(as_python.make_many, made, *values)


@pytest.mark.prove
@pytest.mark.parametrize("made", PARTIALS, ids=str)
def test_what_a_partial_makes_is_what_python_makes(compiled, made):
    for _ in range(3):
        for values in (((1, "n", ()),), ((),), ([1, 2],), (), ((1,), 2)):
            expected, found = outcome(as_python.make_many, made, *values), outcome(compiled.make_many, made, *values)
            assert (found, type(found)) == (expected, type(expected))
            expected, found = outcome(as_python.make_of, made, values), outcome(compiled.make_of, made, values)
            assert (found, type(found)) == (expected, type(expected))


@pytest.mark.prove
@pytest.mark.parametrize("value", [{1: 2}, Dict(), Told(), 3], ids=lambda value: type(value).__name__)
def test_a_method_that_is_kept_is_called_with_its_object(compiled, value):
    for _ in range(3):
        assert outcome(lambda: compiled.read_get(value)(1)) == outcome(lambda: as_python.read_get(value)(1))


@pytest.mark.prove
def test_a_class_that_changes_is_asked_again(compiled):
    class Changed:
        __slots__ = ("x",)

        def get(self, key):
            return key

    one = Changed()
    one.x = 1
    for _ in range(2):
        assert (compiled.read_x(one), compiled.call_get(one, 5)) == (1, 5)
    Changed.x = property(lambda self: 2)
    Changed.get = lambda self, key: key + 1
    for _ in range(2):
        assert (compiled.read_x(one), compiled.call_get(one, 5)) == (2, 6)


def _with_garbage(finalise, question, *args):
    """Ask while there is garbage that is collected with the first thing that is allocated, and does something then."""
    class Finalised:
        def __init__(self):
            self.itself = self

        def __del__(self):
            done.append(finalise())

    done, before = [], gc.get_threshold()
    gc.collect()
    gc.disable()
    try:
        Finalised()
        gc.set_threshold(1)
        gc.enable()
        found = question(*args)
    finally:
        gc.set_threshold(*before)
        gc.enable()
    assert done
    return found


@pytest.mark.prove
@pytest.mark.parametrize("is_known", [False, True])
def test_a_method_that_its_class_loses_while_it_is_asked_for_is_given_out_whole(compiled, is_known):
    class Loses:
        __slots__ = ()

        def get(self, key):
            return key

    one = Loses()
    for _ in range(2 * is_known):
        assert compiled.read_get(one)(5) == 5
    method = _with_garbage(lambda: delattr(Loses, "get"), compiled.read_get, one)
    others = [eval(f"lambda: {number}") for number in range(100)]  # where the lost one stood
    assert (method(5), len(others)) == (5, 100)
    assert outcome(compiled.read_get, one) == outcome(as_python.read_get, one)


@pytest.mark.prove
def test_a_named_tuple_whose_class_changes_while_it_is_made_is_whole(compiled):
    def lose():
        made_of._fields = None
        others.extend([tuple(otherwise) for _ in range(100)])  # where the lost ones stood

    names, otherwise, others = ["x", "name", "rest"], ["x", "rest", "name"], []
    made_of = namedtuple("made_of", names, defaults=["n", ()])
    made_of._fields = tuple(names)  # held by the class alone
    for _ in range(3):
        assert compiled.make(made_of) == (1, "n", (2,))
    assert _with_garbage(lose, compiled.make, made_of) == (1, "n", (2,))


@pytest.mark.prove
def test_a_named_tuple_without_an_item_is_an_error_and_no_crash(compiled):
    half = tuple.__new__(as_python.Point, (1,))
    for _ in range(3):
        assert outcome(compiled.read_name, tuple.__new__(compiled.Point, (1,))) == outcome(as_python.read_name, half)


@pytest.mark.prove
def test_what_is_made_is_found_by_its_hash(compiled):
    made_by = partial(tuple.__new__, as_python.Point)
    expected = as_python.Point(1, "n", (2,))
    for _ in range(3):
        for found in (compiled.make_many(as_python.Point, 1, "n", (2,)), compiled.make_of(made_by, (1, "n", (2,)))):
            assert hash(found) == hash((1, "n", (2,))) == hash(found)
            assert {found: "there"}[expected] == {expected: "there"}[found] == "there"


@pytest.mark.prove
def test_what_was_made_and_read_is_freed_again(compiled):
    class Held:
        pass

    held = Held()
    gone = weakref.ref(held)
    for _ in range(3):
        made = compiled.make_many(as_python.Point, held)
        assert compiled.read_x(made) is held
    before = sys.getrefcount(held)
    for _ in range(1000):
        compiled.read_x(made)
        compiled.make_many(as_python.Point, held)
    assert sys.getrefcount(held) == before
    del held, made
    gc.collect()
    assert gone() is None


@pytest.mark.prove
def test_classes_of_compiled_modules_are_made_as_in_python(compiled):
    for _ in range(3):
        assert compiled.make_point(3) == as_python.make_point(3)
        assert repr(compiled.make_pair(3)) == repr(as_python.make_pair(3))
        assert repr(compiled.make_sum(3, 4)) == repr(as_python.make_sum(3, 4)) == "Sum(one=3, other=4, sum=7)"
    assert outcome(lambda: setattr(compiled.make_pair(3), "first", 4)) == outcome(lambda: setattr(as_python.make_pair(3), "first", 4))
    written = msgspec.json.encode(as_python.make_sum(1, None))
    compiled.Sum.__annotations__ = as_python.Sum.__annotations__  # as eisbach/compiled.py does
    assert repr(msgspec.json.decode(written, type=compiled.Sum)) == repr(as_python.make_sum(1, None))
    assert repr(dataclasses.replace(compiled.make_sum(1, None), one=5)) == "Sum(one=5, other=None, sum=5)"


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("constructors"), importlib.import_module("compile").hot_modules()


def test_written_constructors_are_those_that_dataclasses_have(scripts):
    constructors, modules = scripts
    told = 0
    for module in modules:
        source = (ROOT / module).read_text(encoding="utf-8")
        written = constructors.written_out(source)
        assert written.count("\n") == source.count("\n")
        loaded = importlib.import_module(".".join(module.with_suffix("").parts))
        for one in ast.parse(written).body:
            methods = {line.name: line for line in one.body if isinstance(line, ast.FunctionDef)} if isinstance(one, ast.ClassDef) else {}
            made = getattr(loaded, one.name) if "__init__" in methods else None
            if made is None or f"class {one.name}" not in source or not dataclasses.is_dataclass(made):
                continue
            taken = methods["__init__"].args
            parameters = list(inspect.signature(made).parameters.values())
            assert [name.arg for name in taken.args[1:] + taken.kwonlyargs] == [parameter.name for parameter in parameters]
            assert bool(taken.kwonlyargs) == (parameters[0].kind is inspect.Parameter.KEYWORD_ONLY)
            usual = [line for line in (*taken.defaults, *taken.kw_defaults) if line is not None]
            here = [eval(ast.unparse(line), vars(loaded)) for line in usual]
            assert here == [parameter.default for parameter in parameters if parameter.default is not inspect.Parameter.empty]
            told += 1
    assert told > 10


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("@final\n@dataclass\nclass A:\n    x: int\n\n    def f(self): ...\n", id="another decorator"),
        pytest.param("class A:\n    x: int\n\n    def f(self): ...\n", id="no dataclass"),
        pytest.param("@dataclass\nclass A(B):\n    x: int\n\n    def f(self): ...\n", id="of a class from elsewhere"),
        pytest.param("@dataclass\nclass A:\n    x: list[int] = field(default_factory=list)\n\n    def f(self): ...\n", id="a value of its own"),
        pytest.param("@dataclass\nclass A:\n    x: int\n    def f(self): ...", id="no blank line"),
        pytest.param("@dataclass\nclass A:\n    x: int\n    y: ClassVar[int] = 1\n\n    def f(self): ...\n", id="a field of the class"),
        pytest.param("@dataclass(init=False)\nclass A:\n    x: int\n\n    def f(self): ...\n", id="none wanted"),
        pytest.param("@dataclass\nclass A:\n    x: int\n\n    def __init__(self): ...\n", id="one of its own"),
    ],
)
def test_a_class_whose_constructor_is_more_stays_as_it_is(scripts, source):
    assert scripts[0].written_out(source) == source


def test_a_constructor_stands_on_the_first_blank_line_behind_the_fields(scripts):
    source = '@dataclass(frozen=True)\nclass A:\n    """A.\n\n    B.\n    """\n\n    x: int\n    """\n\n    of x"""\n    y: str = "y"\n\n    def f(self): ...\n'
    constructor = "    def __init__(self, x: int, y: str = 'y') -> None: self.x = x; self.y = y  # type: ignore[misc]"
    written = scripts[0].written_out(source).split("\n")
    assert (written[0], written[12]) == ("@dataclass(init=False, frozen=True)", constructor)
    assert written[1:12] + written[13:] == source.split("\n")[1:12] + source.split("\n")[13:]
