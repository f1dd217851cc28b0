"""Properties of the source text itself (after TigerBeetle's src/tidy.zig). Lists of exceptions may only shrink."""

import ast
import itertools
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "eisbach"
sys.path.insert(0, str(ROOT / "scripts"))
import write_map  # noqa: E402  (scripts/ is no package)

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
PARAMETERS_MAX = 10
DUMPING_GROUNDS = {"utils", "util", "common", "helpers", "misc", "base", "manager"}
CLOCK_CALLS = {"now", "utcnow", "today", "fromtimestamp"}
STOPWATCHES = {"perf_counter", "perf_counter_ns", "process_time", "process_time_ns", "thread_time", "thread_time_ns"}
CORE_MAY_IMPORT = {
    "eisbach", "__future__", "abc", "array", "base64", "bisect", "collections", "dataclasses", "decimal", "enum", "functools",
    "hashlib", "heapq", "itertools", "math", "numpy", "operator", "struct", "types", "typing",
}  # fmt: skip
# A third-party part and the only places that know it (paths inside the package, as prefixes).
ONLY_IN = {
    "pydantic": ("api/schemas",),
    "fastapi": ("api/", "portal/", "gateway/"),
    "starlette": ("api/", "portal/", "gateway/"),
    "sqlalchemy": ("stores/",),
    "alembic": ("stores/",),
    "psycopg": ("stores/",),
    "cedarpy": ("adapters/",),
    "jinja2": ("portal/",),
    "markupsafe": ("portal/",),
    "drafthorse": ("adapters/xrechnung",),
    "lxml": ("adapters/xrechnung",),
    "babel": ("adapters/",),
    "plotly": (),
    "pynvml": ("meters/", "engines/"),
    "typer": ("cli/",),
}

# ---- exceptions: "path inside the package": "reason" -------------------------------------------------------------
MODULES_TOO_LONG: dict[str, str] = {}
FUNCTIONS_TOO_LONG: dict[str, str] = {}  # "path:function"
MANY_PARAMETERS = {
    "cli/": "Typer makes each option of a command a parameter",
    "core/admission/active_job.py": "what a dataclass would generate, but for what no new job is told: every submission makes one",
}
HIDDEN_IMPORTS = {
    "cli/": "the command line starts fast because each command imports what it needs when it runs",
    "__main__.py": "as in cli/",
    "app/site_facts.py": "a site without power has no plant, and needs nothing of what plants are reckoned by",
    "app/when_needed.py": "what the writer does only in some factories, in one place",
    "twin/rounds.py": "a round is imported when it first applies",
    "settings.py": "every command reads settings, and only one with a profile needs the parser",
}
WORK_AT_IMPORT = {"cli/": "Typer's commands are registered on module-level applications", "__main__.py": "runs the CLI"}
PRINTS = {"cli/": "the command line writes to the terminal", "__main__.py": "as in cli/"}
GLOBALS: dict[str, str] = {}
READS_ENVIRONMENT = {"settings.py": "the one reader of settings"}
SLEEPS_IN_TESTS: dict[str, str] = {}  # "path inside tests/"


def excepted(path: pathlib.PurePath, exceptions: dict[str, str]) -> bool:
    """A key that ends in a slash covers a whole package."""
    return any(str(path) == key or (key.endswith("/") and str(path).startswith(key)) for key in exceptions)


def trees_of(folder: pathlib.Path) -> list[tuple[pathlib.PurePath, str, ast.Module]]:
    """Path, text and syntax tree of each module under a folder, without the templates (package data)."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        inside = path.relative_to(folder)
        if inside.parts[0] == "templates":
            continue
        text = path.read_text(encoding="utf-8")
        found.append((inside, text, ast.parse(text)))
    return found


@pytest.fixture(scope="module")
def modules():
    return trees_of(PACKAGE)


@pytest.fixture(scope="module")
def modules_and_scripts(modules):
    return [*modules, *((pathlib.PurePath("scripts", path), *rest) for path, *rest in trees_of(ROOT / "scripts"))]


@pytest.fixture(scope="module")
def test_modules():
    return trees_of(ROOT / "tests")


@pytest.fixture(scope="module")
def tracked_files():
    """The files under version control; in a copy without git, the files that are not generated."""
    if shutil.which("git") and (ROOT / ".git").exists():
        command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z"]
        names = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    generated = {".git", ".venv", "build", "dist", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file() and not any(part in generated or part.endswith(".egg-info") for part in path.parts)
    ]


def functions_of(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def imported_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return ["eisbach" if node.level else node.module or "eisbach"]
    return []


def called(node: ast.AST) -> str:
    """The dotted name that a call calls, as far as it is written with names; otherwise an empty text."""
    if not isinstance(node, ast.Call):
        return ""
    return dotted(node.func)


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def verdict(violations) -> None:
    found = list(violations)
    assert not found, "\n" + "\n".join(found)


# ---- shape -------------------------------------------------------------------------------------------------------


def test_modules_fit_in_one_reading(modules_and_scripts):
    verdict(
        f"{path}: {text.count(chr(10))} lines, at most {MODULE_LINES_MAX}: split it along a domain word"
        for path, text, _ in modules_and_scripts
        if text.count("\n") > MODULE_LINES_MAX and not excepted(path, MODULES_TOO_LONG)
    )


def test_modules_say_what_they_are_for(modules_and_scripts):
    verdict(f"{path}: its docstring must say what it is for" for path, _, tree in modules_and_scripts if not ast.get_docstring(tree))


def test_modules_have_domain_names(modules_and_scripts):
    verdict(f"{path}: name it after what it holds" for path, _, _ in modules_and_scripts if {*path.parts, path.stem} & DUMPING_GROUNDS)


def test_functions_fit_on_a_screen(modules_and_scripts):
    verdict(
        f"{path}:{node.lineno} {node.name}: {node.end_lineno - node.lineno + 1} lines, at most {FUNCTION_LINES_MAX}"
        for path, _, tree in modules_and_scripts
        for node in functions_of(tree)
        if node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX and f"{path}:{node.name}" not in FUNCTIONS_TOO_LONG
    )


def test_functions_take_few_parameters(modules_and_scripts):
    verdict(
        f"{path}:{node.lineno} {node.name}: more than {PARAMETERS_MAX} parameters: give it a value of the domain"
        for path, _, tree in modules_and_scripts
        for node in functions_of(tree)
        if len(node.args.posonlyargs + node.args.args + node.args.kwonlyargs) > PARAMETERS_MAX
        and not excepted(path, MANY_PARAMETERS)
    )


def test_imports_stand_at_the_top(modules_and_scripts):
    verdict(
        f"{path}:{node.lineno}: import hidden in {function.name}"
        for path, _, tree in modules_and_scripts
        for function in functions_of(tree)
        for node in ast.walk(function)
        if imported_by(node) and not excepted(path, HIDDEN_IMPORTS)
    )


# ---- the core ----------------------------------------------------------------------------------------------------


def test_core_never_asks_what_time_it_is(modules):
    verdict(
        f"{path}:{node.lineno}: take `now` as an argument"
        for path, _, tree in modules
        for node in ast.walk(tree)
        if path.parts[0] == "core" and "." in called(node) and called(node).rpartition(".")[2] in CLOCK_CALLS
    )


def test_core_imports_only_what_is_allowed(modules):
    verdict(
        f"{path}:{node.lineno}: {name} is not allowed in core"
        for path, _, tree in modules
        for node in ast.walk(tree)
        for name in imported_by(node)
        if path.parts[0] == "core" and name.partition(".")[0] not in CORE_MAY_IMPORT
    )


# ---- smells ------------------------------------------------------------------------------------------------------


def test_third_parties_stay_in_their_places(modules):
    verdict(
        f"{path}:{node.lineno}: {name} belongs in {' or '.join(ONLY_IN[name.partition('.')[0]])}"
        for path, _, tree in modules
        for node in ast.walk(tree)
        for name in imported_by(node)
        if not str(path).startswith(ONLY_IN.get(name.partition(".")[0], ("",)))
    )


def test_states_are_never_compared_as_texts(modules):
    """`status == "PENDING"` survives a renamed state; a member of an enum does not."""
    verdict(
        f"{path}:{node.lineno}: compare with a member of the enum"
        for path, _, tree in modules
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and dotted(node.left).rpartition(".")[2] in {"status", "state", "outcome", "phase"}
        and any(isinstance(side, ast.Constant) and isinstance(side.value, str) for side in node.comparators)
    )


def test_nothing_asks_whether_it_is_simulated(modules):
    """Decisions never ask; what a person sees may (a label), so only the inner packages are read."""
    verdict(
        f"{path}:{node.lineno}: a simulation that takes other branches proves nothing"
        for path, _, tree in modules
        if path.parts[0] in {"core", "app", "ports"}
        for node in ast.walk(tree)
        if isinstance(node, ast.If | ast.IfExp | ast.While)
        for part in ast.walk(node.test)
        if "simulat" in dotted(part).lower()
    )


def test_nothing_prints_but_the_command_line(modules):
    verdict(
        f"{path}:{node.lineno}: return it or log it"
        for path, _, tree in modules
        for node in ast.walk(tree)
        if called(node) == "print" and not excepted(path, PRINTS)
    )


def test_nothing_works_at_import_time(modules):
    verdict(
        f"{path}:{node.lineno}: {ast.unparse(node)[:60]}: do it in a function that somebody calls"
        for path, _, tree in modules
        for node in tree.body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and not excepted(path, WORK_AT_IMPORT)
    )


def test_no_global_statements(modules_and_scripts):
    verdict(
        f"{path}:{node.lineno}: hold it in an object"
        for path, _, tree in modules_and_scripts
        for node in ast.walk(tree)
        if isinstance(node, ast.Global) and not excepted(path, GLOBALS)
    )


def test_only_settings_reads_the_environment(modules):
    verdict(
        f"{path}:{node.lineno}: take it from settings.py"
        for path, _, tree in modules
        for node in ast.walk(tree)
        if dotted(node) in {"os.environ", "os.environb", "os.getenv"} and not excepted(path, READS_ENVIRONMENT)
    )


# ---- tests -------------------------------------------------------------------------------------------------------


def test_tests_never_sleep_and_hope(test_modules):
    """Waiting is a loop with a condition and a deadline; a sleep outside a loop is a guess."""
    violations = []
    for path, _, tree in test_modules:
        in_loops = {
            id(node) for loop in ast.walk(tree) if isinstance(loop, ast.While | ast.For) for node in ast.walk(loop)
        }
        violations += [
            f"tests/{path}:{node.lineno}: wait for a condition, in a loop with a deadline"
            for node in ast.walk(tree)
            if called(node) in {"sleep", "time.sleep", "asyncio.sleep"} and id(node) not in in_loops
            if not excepted(path, SLEEPS_IN_TESTS)
        ]
    verdict(violations)


def test_tests_never_measure_time(test_modules):
    """Figures come from benchmarks/; a test that fails on a busy machine teaches people to run it twice."""
    verdict(
        f"tests/{path}:{node.lineno}: {dotted(node)} belongs in benchmarks/"
        for path, _, tree in test_modules
        for node in ast.walk(tree)
        if dotted(node).startswith("time.") and dotted(node).rpartition(".")[2] in STOPWATCHES
    )


# ---- the repository ----------------------------------------------------------------------------------------------


def test_no_compiled_file_is_tracked(tracked_files):
    verdict(str(path.relative_to(ROOT)) for path in tracked_files if path.suffix in {".pyc", ".pyo"})


def test_no_file_knows_where_it_was_written(tracked_files):
    """No path of the machine of whoever wrote it."""
    path_of_a_machine = re.compile(r"(?<![\w.\-/}])/(?:wo" + r"rk|ro" + r"ot)/\w")
    violations = []
    for path in tracked_files:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        violations += [
            f"{path.relative_to(ROOT)}:{number}: {found[0]}..."
            for number, line in enumerate(lines, 1)
            if (found := path_of_a_machine.search(line))
        ]
    verdict(violations)


def test_each_dependency_says_why_it_is_here():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    given = set(re.findall(r'^\s*"([^"]+)",?\s+#\s*\S.*$', text, re.MULTILINE))
    verdict(f"pyproject.toml: {one}: one line, its reason as a comment" for one in requirements() if one not in given)


def test_each_dependency_has_a_range_and_a_locked_version():
    locked = {normal(line.partition("==")[0]) for line in lock_lines()}
    for one in requirements():
        if one.startswith("eisbach["):
            continue
        name, extras, limits = re.fullmatch(r"([\w.-]+)(\[[\w,-]+\])?(.*)", one).groups()
        assert limits, f"pyproject.toml: {one}{extras or ''}: needs a range"
        assert normal(name) in locked, f"{name} is not in requirements.lock: run `make lock`"


def test_lock_is_plain():
    verdict(line for line in lock_lines() if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line))


def requirements() -> list[str]:
    """Each requirement of the package and of its extras, as written in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *itertools.chain(*project.get("optional-dependencies", {}).values())]


def lock_lines() -> list[str]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_map_names_every_module():
    """ARCHITECTURE.md is the map; a module that is not on it cannot be found. The order is `make map`'s concern."""
    written = set(write_map.rows_written(write_map.DOCUMENT.read_text(encoding="utf-8")))
    missing = [row for row in write_map.rows() if row not in written]
    stale = sorted(written - set(write_map.rows()))
    report = ["docs/ARCHITECTURE.md: run `make map`, or"]
    report += ["add:", *missing] if missing else []
    report += ["remove:", *stale] if stale else []
    assert not missing, "\n".join(report)
    assert not stale, "\n".join(report)
