"""Paths that stay inside a task's workspace."""

from eisbach.core.jobs.findings import Findings, shown

PATH_BYTES_MAX = 1024
OUTPUTS_MAX = 256


def parse_inside_path(where: str, value: object, findings: Findings) -> str:
    """Return a relative path without `.`, empty parts and a final slash; add to `findings` why it is none."""
    if not isinstance(value, str) or not value.strip():
        findings.wrong(where, value, "a path relative to the job's working directory, such as outputs/model")
        return ""
    if not value.isprintable() or len(value.encode("utf-8", "replace")) > PATH_BYTES_MAX:
        findings.wrong(where, value, f"a path of printable characters, at most {PATH_BYTES_MAX} bytes")
        return ""
    if value[0] in "/~":
        findings.wrong(where, value, "relative to the job's working directory", "Write it without the leading / or ~")
        return ""
    if "$" in value or "*" in value or "?" in value:
        findings.wrong(
            where,
            value,
            "a plain path: variables and wildcards are not expanded here",
            "Name the folder that holds the files",
        )
        return ""
    parts = [part for part in value.split("/") if part not in ("", ".")]
    if ".." in parts:
        findings.wrong(where, value, "a path without `..`: what lies outside the workspace is not kept")
        return ""
    if not parts:
        findings.wrong(where, value, "a file or folder inside the working directory, not all of it")
        return ""
    return "/".join(parts)


def parse_outputs(raw: object, findings: Findings) -> tuple[str, ...]:
    """Return the paths of `outputs`, given as one path or as a list of paths."""
    if raw is None:
        return ()
    if isinstance(raw, str):
        return (parse_inside_path("outputs", raw, findings),)
    if not isinstance(raw, list | tuple):
        findings.wrong("outputs", raw, "a path or a list of paths, such as [model, metrics.jsonl]")
        return ()
    if len(raw) > OUTPUTS_MAX:
        findings.invalid(
            "outputs", f"`outputs` names {len(raw)} paths, but at most {OUTPUTS_MAX}", "Name a folder that holds them"
        )
        return ()
    outputs: list[str] = []
    for index, entry in enumerate(raw):
        path = parse_inside_path(f"outputs[{index}]", entry, findings)
        if path and path in outputs:
            findings.invalid(f"outputs[{index}]", f"`outputs` names {shown(path)} twice", "Name it once")
        outputs.append(path)
    return tuple(outputs)
