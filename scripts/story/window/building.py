"""The building: power, stream and heat of a simulated hall, and what was promised in public."""

from story.window.stage import WindowStage

HALLS = "example-halls"
ROW = """\
# 128 simulated GPUs for some seconds: nothing is executed.
name: row-of-128
num_nodes: 16
resources: {accelerators: "B200:8"}
placement: {sites: [example-halls]}
time_limit: 5m
run: sleep 15
"""


def fill_a_row(stage: WindowStage) -> None:
    """Have sixteen simulated nodes of eight GPUs work for some seconds: the building feels it, and the bill too."""
    shell, check = stage.shell, stage.record.check
    (shell.folder / "row.yaml").write_text(ROW)
    with stage.acting_with("customer.token"):
        said = shell.eisbach("run", "row.yaml", "--detach", "-y", "-p", stage.project)
    stage.simulated_job = stage.job_id_in(said.output)
    ended = stage.wait_for(stage.simulated_job, "ended")
    check("a simulated job says so", ended["simulated"] is True and ended["site"] == HALLS, f"{ended['site']}, {ended['outcome']}")
    log = shell.eisbach("logs", stage.simulated_job, "-p", stage.project)
    check("its log says that nothing was executed", "simulated" in log.output, "simulated")


def show(stage: WindowStage) -> None:
    """Look at power, stream and heat, and at the halls."""
    shell, check = stage.shell, stage.record.check
    for what in ("power", "stream", "heat"):
        shell.eisbach("site", what, HALLS, "--hours", "3")
    operator = stage.visitor.__class__("en")
    entrance = operator.open(stage.operator_link)
    operator.send(entrance, entrance.form("/enter"), {})
    for path in (f"/sites/{HALLS}", f"/sites/{HALLS}/map"):
        page = operator.open(f"{stage.url}/portal{path}")
        shell.show_command(f"[portal] {path}  ({page.status}, {page.language})")
        check(f"{path} says what is simulated", page.status == 200 and "simulated" in page.text.lower(), page.language)


def promises(stage: WindowStage) -> None:
    """Hold what was said in public against ledger and inventory."""
    stage.shell.eisbach("promises")
    found = stage.shell.ask("promises")["promises"]
    verdicts = sorted({str(one["verdict"]) for one in found})
    stage.record.check("public promises are held against the log", len(found) >= 6, ", ".join(verdicts))
