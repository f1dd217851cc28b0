"""What `twin pack` reads: a list of nodes (`sn,cpu_milli,memory_mib,gpu,model`) and a list of pods (a job table).

Of a pod its `gpus` count (a part below one, or whole ones), `cpus`, and in `kind` the memory and the GPU models it accepts:
`mem_mib:12288;spec:V100M16|V100M32`. What is wrong is told by file, line, column and value.
"""

import csv
import gzip
import math
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, cast

from eisbach.core.capacity.inventory import Node
from eisbach.core.jobs.request import WHOLE, NodeShape
from eisbach.twin.trace_file import GZIP_MAGIC, TraceError

NODE_COLUMNS = ("sn", "cpu_milli", "memory_mib", "gpu", "model")
POD_COLUMNS = ("job_id", "gpus", "cpus", "kind")
ROWS_MAX = 1_000_000
"""Rows of one list: all of them are held, for they are shuffled."""
AMOUNT_MAX = 10**9
GPUS_MAX = 64
SITE = "simulated"

Pod = tuple[NodeShape, ...]
"""The shapes that a pod accepts, one for each GPU model."""


def read_nodes(path: Path) -> list[Node]:
    """Return the nodes of a list; raise TraceError."""
    nodes: dict[str, Node] = {}
    for line, row in _rows(path, NODE_COLUMNS):
        name, model = row["sn"].strip(), row["model"].strip().lower()
        if not name or name in nodes:
            raise _wrong(path, line, "sn", name, "must name each node once")
        gpus = _whole(path, line, "gpu", row["gpu"] or "0", 0, GPUS_MAX)
        if gpus and not model:
            raise _wrong(path, line, "model", model, "must name the GPU of a node that has some")
        nodes[name] = Node(
            node=name,
            pool=model or "cpu",
            site=SITE,
            flavour=f"{model}.{gpus}" if gpus else "cpu",
            cpu_milli=_whole(path, line, "cpu_milli", row["cpu_milli"], 1, AMOUNT_MAX),
            memory_mib=_whole(path, line, "memory_mib", row["memory_mib"], 1, AMOUNT_MAX),
            gpus=gpus,
        )
    if not any(node.gpus for node in nodes.values()):
        raise TraceError(f"{path}: no node of it has a GPU, so there is nothing to pack. Give a list with GPUs in `gpu`")
    return list(nodes.values())


def read_pods(path: Path) -> list[Pod]:
    """Return what each pod of a list asks for; raise TraceError."""
    pods = [_pod(path, line, row) for line, row in _rows(path, POD_COLUMNS)]
    if not any(shape.gpus for pod in pods for shape in pod):
        raise TraceError(f"{path}: no pod of it asks for a GPU. Give a list with GPUs in `gpus`")
    return pods


def _pod(path: Path, line: int, row: Mapping[str, str]) -> Pod:
    gpu_milli = _thousandths(path, line, "gpus", row["gpus"] or "0", GPUS_MAX)
    if gpu_milli > WHOLE and gpu_milli % WHOLE:
        raise _wrong(path, line, "gpus", row["gpus"], "must be a part of one GPU or a whole number of them")
    cpu_milli = _thousandths(path, line, "cpus", row["cpus"] or "0", AMOUNT_MAX // 1000)
    said = dict(part.partition(":")[::2] for part in row["kind"].split(";") if part)
    memory_mib = _whole(path, line, "kind", said.get("mem_mib", "0") or "0", 0, AMOUNT_MAX)
    models = [model.strip().lower() for model in said.get("spec", "").split("|") if model.strip()]
    return tuple(
        NodeShape(
            cpu_milli=cpu_milli,
            memory_mib=memory_mib,
            gpus=-(-gpu_milli // WHOLE),
            flavour=model,
            gpu_milli=gpu_milli if 0 < gpu_milli < WHOLE else WHOLE,
        )
        for model in (models if models and gpu_milli else [None])
    )


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield the rows of a CSV file, plain or gzip, with their lines."""
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == GZIP_MAGIC
        opened = gzip.open if is_gzip else open
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            reader = csv.DictReader(cast(IO[str], file), restval="", strict=True)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise TraceError(f"{path}:1: the column {missing[0]!r} is missing. It needs {','.join(columns)}")
            for count, row in enumerate(reader):
                if None in row:
                    raise TraceError(f"{path}:{reader.line_num}: the row has more fields than the header. Quote what holds a comma")
                if count >= ROWS_MAX:
                    raise TraceError(f"{path}: it has more than {ROWS_MAX:,} rows. Give a shorter list: all of it is shuffled")
                yield reader.line_num, row
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror or error}. Name a file that can be read") from error
    except (UnicodeDecodeError, csv.Error, EOFError, zlib.error) as error:
        raise TraceError(f"{path}: it is no CSV in UTF-8, plain or gzip ({error}). Write it anew") from error


def _whole(path: Path, line: int, column: str, text: str, least: int, most: int) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and least <= int(text) <= most):
        raise _wrong(path, line, column, text, f"must be a whole number from {least} to {most:,}")
    return int(text)


def _thousandths(path: Path, line: int, column: str, text: str, most: int) -> int:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and 0 <= number <= most):
        raise _wrong(path, line, column, text, f"must be a number from 0 to {most:,}")
    return round(number * 1000)


def _wrong(path: Path, line: int, column: str, value: str, must: str) -> TraceError:
    return TraceError(f"{path}:{line}: {column} is {value[:60]!r}, but {must}. Correct the row")
