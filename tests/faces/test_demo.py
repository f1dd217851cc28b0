"""The story that `make demo` plays, as a newcomer starts it; that it leaves nothing behind when asked to, and what it leaves open."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import pytest

from eisbach.adapters.site_file import read_site_file
from eisbach.app.site_facts import NodeFacts
from tests.faces.cli_tools import ROOT
from tests.faces.test_demo_train import folder_of, processes_that_name

sys.path.insert(0, str(ROOT / "scripts"))
import demo
from story.browser import Browser
from story.checks import StepFailed
from story.window.left_open import LeftOpen

NOT_INSTALLED = [name for name in demo.NEEDED if importlib.util.find_spec(name) is None]
SCENES = [scene.name for scene in (*demo.OPENING, *demo.AS_CUSTOMER, *demo.AFTERWARDS)]


@pytest.mark.skipif(bool(NOT_INSTALLED), reason=f"not installed: {', '.join(NOT_INSTALLED)} (the extra `industry`)")
@pytest.mark.timeout(600)
def test_the_story_holds(tmp_path):
    played = subprocess.run(
        [sys.executable, ROOT / "scripts" / "demo.py", "--close"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    said = played.stdout
    assert played.returncode == 0, said
    summary = said[said.index("\nSTEP") :]
    assert [scene for scene in SCENES if f"\n{scene} " in summary] == SCENES
    assert re.search(r"\d\d checks in \d+ s\. All held\.", summary)
    assert not folder_of(said).exists()
    assert not processes_that_name(folder_of(said))


def test_what_was_left_open_is_closed_with_its_folder(tmp_path):
    folder = tmp_path / "eisbach-demo-1"
    (folder / "data").mkdir(parents=True)
    file = tmp_path / "build" / "demo-open.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"folder": str(folder), "home": str(folder / "data" / "eisbach")}))
    assert str(folder) in LeftOpen(file).close()
    assert not folder.exists()
    assert not file.exists()
    assert LeftOpen(file).close() == "", "closing twice does nothing"


@pytest.mark.parametrize("folder", ["precious", "eisbach-demo-2"])
def test_a_folder_that_is_no_demos_is_left_alone(tmp_path, folder):
    precious = tmp_path / folder
    precious.mkdir()
    file = tmp_path / "demo-open.json"
    file.write_text(json.dumps({"folder": str(precious), "home": str(tmp_path / "elsewhere")}))
    assert "left alone" in LeftOpen(file).close()
    assert precious.exists()


def test_what_is_not_installed_is_said(monkeypatch, capsys, tmp_path):
    has = importlib.util.find_spec
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: None if name == "river" else has(name))
    monkeypatch.setattr(demo, "SCRIPTS", tmp_path / "scripts")
    monkeypatch.setattr(sys, "argv", ["demo.py"])
    assert demo.main() == 2
    assert "river" in capsys.readouterr().err


PAGE = """<html lang="de"><body><h1>Seite</h1><a href="/weiter"> Weiter <b>hier</b></a>
<form action="/go" method="post"><input type="hidden" name="key" value="k"><input name="typed">
<select name="one"><option value="a">A<option value="b" selected>B</select><textarea name="text">so</textarea>
<button name="act" value="yes">Los</button></form><script>var hidden = 1</script></body></html>"""


def test_the_visitor_sends_only_what_a_page_offers(monkeypatch):
    sent = []

    class Answer:
        status = 200

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def read(self):
            return PAGE.encode()

        def geturl(self):
            return "http://127.0.0.1/here"

    visitor = Browser("de")
    monkeypatch.setattr(visitor._opener, "open", lambda request, timeout: sent.append(request) or Answer())
    visit = visitor.open("http://127.0.0.1/here")
    assert (visit.language, visit.links) == ("de", {"Weiter hier": "/weiter"})
    assert "hidden" not in visit.text
    form = visit.form("/go")
    assert form.fields == {"key": "k", "typed": "", "one": "b", "text": "so"}
    visitor.send(visit, form, {"typed": "ä", "act": "yes"})
    assert sent[-1].data == b"key=k&typed=%C3%A4&one=b&text=so&act=yes"
    with pytest.raises(StepFailed, match="no field 'other'"):
        visitor.send(visit, form, {"other": "1"})
    with pytest.raises(StepFailed, match="no form"):
        visit.form("/elsewhere")


def test_the_example_sites_can_be_read():
    machine = NodeFacts(node="n", pool="p", flavour="cpu", cpu_milli=2000, memory_mib=4096)
    sites = {site.site: site for site in read_site_file(ROOT / "scripts" / "story" / "example_sites.toml", machine)}
    assert [name for name, site in sites.items() if not site.is_simulated] == ["here"]
    assert sites["example-us"].country == "US"
    assert (sites["example-eu-us-parent"].country, sites["example-eu-us-parent"].parent_country) == ("DE", "US")
    assert sum(node.gpus for node in sites["example-halls"].nodes) == 10_000
