"""Compile the hot modules into build/compiled; run by `make fast`. Says what it did, or what is missing (decision 15).

usage: .venv/bin/python scripts/compile.py
"""

import ast
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from hashlib import sha256
from pathlib import Path

from eisbach.compiled import FOLDER, PACKAGE, STAMP, built, sources_digest

ROOT = PACKAGE.parent
PATTERNS = (
    "core/vocabulary/{identity,interval,money,quantities,reasons}",
    "core/jobs/{amounts,lifecycle,placement,request,within}",
    "core/capacity/{calendar,fit,fleet,holding,inventory,placement,pool,ranking,search,share,topology,vacancies,where}",
    "core/log/{event,leaf,tree}",
    "core/ledger/*",
    "core/power/{budget,draw}",
    "core/billing/{charge,price_book}",
    "core/scheduling/*",
    "core/admission/*",
    "app/{admit_jobs,application,applier,draft,due_on_nodes,end_stranded,money,places,plan_hash,record_observation,set_shares}",
    "app/{fold,fold_energy,fold_health,fold_jobs,fold_promises,fold_shares,fold_usage,notice_nodes,settle_usage,state,submit_job}",
    "app/{tell_engine,texts,writer}",
    "adapters/{clocks,identifiers}",
    "engines/simulated/{courses,engine,live}",
    "ports/crash",
    "stores/totals",
    "twin/{distinct,figures,frail_engine,run,scenario,stranded,trace_file,trace_workload,world}",
)
"""What a replay spends its time in (`cProfile` over week_10k, modules from a thousandth of it on), and what these are made of."""

BUILDERS = ("constructors.py", "python_classes.h", "run_mypyc.py")


def hot_modules() -> list[Path]:
    """Return the files to compile, relative to the repository."""
    found: set[Path] = set()
    for pattern in PATTERNS:
        head, brace, rest = pattern.partition("{")
        for name in rest.rstrip("}").split(",") if brace else [""]:
            matches = {path for path in PACKAGE.glob(f"{head}{name}.py") if path.name != "__init__.py"}
            if not matches:
                raise SystemExit(f"scripts/compile.py names {head}{name}.py, which is not there. Correct PATTERNS")
            found |= matches
    return sorted(path.relative_to(ROOT) for path in found)


def builder_digest() -> str:
    """Return the SHA-256 of what builds, in hex: of other scripts the same sources become other modules."""
    digest = sha256()
    for name in BUILDERS:
        digest.update((ROOT / "scripts" / name).read_bytes())
    return digest.hexdigest()


def is_built() -> bool:
    """Return whether all modules lie there, of these sources, and built as they would be now."""
    wanted = {".".join(module.with_suffix("").parts) for module in hot_modules()}
    if wanted != {name for name in built(FOLDER) if name.startswith("eisbach.")}:
        return False
    return bool(json.loads((FOLDER / STAMP).read_bytes()).get("builder") == builder_digest())


def missing() -> str:
    """Return what a build lacks on this machine and where to get it; nothing where it lacks nothing."""
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(compiler) is None:
        return f"a C compiler: there is no {compiler} (Debian, Ubuntu: apt install gcc)"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return f"Python's headers: there is no {sysconfig.get_path('include')}/Python.h (Debian, Ubuntu: apt install python3-dev)"
    if subprocess.run([sys.executable, "-c", "import mypyc.build, setuptools"], capture_output=True, check=False).returncode:
        return "mypyc: install this package with its extra `fast` (make fast does)"
    return ""


def build(into: Path) -> str:
    """Compile all of it into a folder; return what the compilers said where they failed, else nothing."""
    command = [sys.executable, "scripts/run_mypyc.py", str(into), *map(str, hot_modules())]
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return f"{ran.stdout[-4000:]}\nexit code {ran.returncode}" if ran.returncode else ""


def stamp(into: Path, digest: str) -> str:
    """Return what a build says of itself: of which sources it is, and its modules."""
    files = sorted(path.relative_to(into).as_posix() for path in into.rglob("*.so"))
    stems = {file: file.split(".", 1)[0] for file in files}
    modules = {stem.replace("/", "."): {"file": file, "annotations": annotations(ROOT / f"{stem}.py")} for file, stem in stems.items()}
    return json.dumps({"digest": digest, "builder": builder_digest(), "modules": modules}, indent=1)


def annotations(source: Path) -> dict[str, dict[str, str]]:
    """Return the annotated attributes of each class of a module as text; none for what mypyc adds beside the modules."""
    if not source.exists():
        return {}
    found = {}
    for one in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(one, ast.ClassDef):
            lines = [line for line in one.body if isinstance(line, ast.AnnAssign)]
            found[one.name] = {ast.unparse(line.target): written(line.annotation) for line in lines}
    return {name: lines for name, lines in found.items() if lines}


def written(annotation: ast.expr) -> str:
    """Return an annotation as text; one that is a text already as it is."""
    is_text = isinstance(annotation, ast.Constant) and isinstance(annotation.value, str)
    return str(annotation.value) if is_text else ast.unparse(annotation)  # type: ignore[attr-defined]


def tried(folder: Path) -> str:
    """Return how the build in its place plays a short week otherwise than Python, or breaks off; nothing where both tell the same."""
    trace = folder / "week.csv"
    rows = [f"{n},{n * 600},{1 + n % 4},{600 + n * 7919 % 40_000},50000\n" for n in range(60)]
    trace.write_text("job_id,submit_s,nodes,duration_s,limit_s\n" + "".join(rows))
    command = [sys.executable, "-m", "eisbach", "twin", "replay", "--jobs", str(trace), "--nodes", "8", "--gpus-per-node", "8", "--log", "--json"]
    told = []
    for choice in ("yes", "no"):
        environment = {**os.environ, "EISBACH_COMPILED": choice, "PYTHONPATH": str(ROOT)}
        ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if ran.returncode:
            return ran.stderr[-4000:]
        result = json.loads(ran.stdout)
        if result["compiled"] != (choice == "yes"):
            return f"with EISBACH_COMPILED={choice} the wrong kind of modules ran: nothing was compared"
        told.append((result["plan_hash"], result["log_root"]))
    return "" if told[0] == told[1] else f"a short week gives (plan hash, root of the log) {told[0]} compiled and {told[1]} as Python"


def main() -> int:
    """Build, put the stamp on it last, and try it; return the exit code."""
    if is_built():
        print("The compiled modules are those of these sources.")
        return 0
    if lacking := missing():
        print(f"Nothing was compiled: this machine lacks {lacking}. Everything runs as Python.")
        return 1
    digest, modules = sources_digest(), hot_modules()
    FOLDER.parent.mkdir(exist_ok=True)
    print(f"Compiling {len(modules)} modules: about five minutes of one core, 1.5 GB of memory.", flush=True)
    with tempfile.TemporaryDirectory(dir=FOLDER.parent, prefix="compiling-") as made:
        into = Path(made) / "compiled"
        into.mkdir()
        if failure := build(into):
            print(f"{failure}\nNothing was compiled: see above. Everything runs as Python.")
            return 1
        if sources_digest() != digest:
            print("The sources changed while they were compiled, and so the build was dropped. Run it again.")
            return 1
        (into / STAMP).write_text(stamp(into, digest))
        shutil.rmtree(FOLDER, ignore_errors=True)
        into.rename(FOLDER)
        if failure := tried(Path(made)):
            shutil.rmtree(FOLDER)
            print(f"{failure}\nWhat was compiled was tried and dropped: see above. Everything runs as Python.")
            return 1
    print(f"Compiled into {FOLDER.relative_to(ROOT)}. `eisbach twin` runs it until a source changes.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
