"""The portal's page of shares: the tree for the operator, one's own for a customer, in the reader's language."""

from eisbach.app import set_shares
from eisbach.app.commands import SYSTEM
from tests.faces.portal_world import browser


def test_the_operator_sees_the_tree_and_a_customer_what_is_his(world):
    world.application.perform(set_shares.set_quota(SYSTEM, owner=world.ours.project, gpu_milli=12_500)).result()
    world.application.perform(set_shares.set_share(SYSTEM, owner="enterprise", weight=321)).result()
    operator = browser(world, world.operator).get("/shares").text
    assert "enterprise" in operator
    assert "321" in operator
    assert "12.5" in operator
    ours = browser(world, world.ours.tokens["viewer"]).get("/shares").text
    assert "12.5" in ours
    assert "enterprise" not in ours
    assert "321" not in ours


def test_it_is_told_in_german(world):
    page = browser(world, world.ours.tokens["viewer"], "de").get("/shares").text
    assert "Wer wie viel bekommt" in page
    assert "1 von" in page or "2 von" in page
