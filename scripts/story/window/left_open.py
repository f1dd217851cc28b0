"""What a demo leaves open, and how the next one, or `make demo-close`, closes it."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from story.window.stage import WindowStage

CLOSE_S = 60


@dataclass(frozen=True, slots=True)
class LeftOpen:
    """The file that names the folder and the home of a factory that was left open."""

    file: Path

    def remember(self, stage: WindowStage) -> None:
        """Write down what stays open."""
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(json.dumps({"folder": str(stage.shell.folder), "home": str(stage.home)}) + "\n")

    def close(self) -> str:
        """End the factory that an earlier demo left, remove its folder, and return what was done; nothing where none is."""
        try:
            known = json.loads(self.file.read_text())
            folder, home = Path(known["folder"]), Path(known["home"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""
        if not folder.name.startswith("eisbach-demo-") or folder not in home.parents:
            return f"{self.file} names no folder of a demo and is left alone"
        if home.exists():
            kept = {name: value for name, value in os.environ.items() if not name.startswith(("EISBACH_", "XDG_"))}
            command = [sys.executable, "-m", "eisbach", "down", "--home", str(home)]
            with suppress(subprocess.TimeoutExpired):
                subprocess.run(command, env=kept, timeout=CLOSE_S, capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)
        self.file.unlink()
        return f"Closed the demo that was left open in {folder}."
