"""The building: power, stream and heat of a simulated hall, and what was promised in public."""

from story.window.stage import WindowStage

HALLS = "example-halls"


def show(stage: WindowStage) -> None:
    """Look at power, stream and heat, and at the halls."""
    shell, check = stage.shell, stage.record.check
    for what in ("power", "stream", "heat"):
        shell.eisbach("site", what, HALLS, "--hours", "3")
    operator = stage.visitor.__class__("en")
    entrance = operator.open(stage.operator_link)
    operator.send(entrance, entrance.form("/enter"), {})
    for path in (f"/sites/{HALLS}", "/map"):
        page = operator.open(f"{stage.url}/portal{path}")
        shell.show_command(f"[portal] {path}  ({page.status}, {page.language})")
        check(f"{path} says what is simulated", page.status == 200 and "simulated" in page.text.lower(), page.language)


def promises(stage: WindowStage) -> None:
    """Hold what was said in public against ledger and inventory."""
    stage.shell.eisbach("promises")
    found = stage.shell.ask("promises")["promises"]
    verdicts = sorted({str(one["verdict"]) for one in found})
    stage.record.check("public promises are held against the log", len(found) >= 6, ", ".join(verdicts))
