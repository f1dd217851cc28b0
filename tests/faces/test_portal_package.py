"""Leaving and public promises in the portal."""

import io
import tarfile

from tests.faces.portal_world import browser


def test_an_administrator_downloads_everything(world):
    admin = browser(world, world.ours.tokens["admin"])
    path = f"/organisations/{world.ours.organisation}/package"
    seen = admin.get(path)
    assert "Download the package" in seen.text
    sent = admin.send(seen, path)
    with tarfile.open(fileobj=io.BytesIO(sent.content)) as tar:
        assert {"README.md", "manifest.json", "manifest.sig"} <= set(tar.getnames())
    assert "attachment" in sent.headers["content-disposition"]


def test_promises_stand_on_the_operators_home_and_on_their_page_in_both_languages(world):
    home = browser(world, world.operator).get("/")
    assert "Around 10,000 GPUs" in home.text
    german = browser(world, world.ours.tokens["viewer"], language="de").get("/promises")
    assert "Rund 10.000 GPUs" in german.text
    assert "nicht gehalten" in german.text
    assert "nicht belegt" in german.text


def test_a_promise_shows_every_wording_with_what_was_read_of_it(world):
    seen = browser(world, world.ours.tokens["viewer"]).get("/promises/gpus-around")
    assert "Rund 10.000 NVIDIA Blackwell GPUs" in seen.text
    assert "nearly 10,000" in seen.text
    assert "read in a report" in seen.text
