"""Whatever happened to an organisation, it arrives: random stories, exported and taken in by a second factory."""

import pytest

from eisbach.app.check_store import check_store
from eisbach.app.compare_import import Comparison, compare
from tests.app.factory import new_factory
from tests.app.leaving import exported, imported, inline, key_of, organisation_of
from tests.app.random_factory import RandomFactory


@pytest.mark.parametrize("seed", range(300, 308))
def test_a_random_organisation_arrives_whole(tmp_path, seed):
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    story = RandomFactory(tmp_path / "first", seed)
    for _ in range(50):
        story.step()
    organisation = organisation_of(story.factory)
    second = new_factory(tmp_path / "second", seed=seed + 10_000)
    file = exported(story.factory, organisation, tmp_path / "package.tar")
    answer = imported(second, file, key_of(story.factory))
    assert answer["is_new"] is True, story.trace
    found = inline(second, lambda: compare(second.app, organisation))
    assert isinstance(found, Comparison), story.trace
    assert [line for line in found.lines if not line.is_same] == [], story.trace
    assert check_store(second.store) == [], story.trace
    assert second.app.applier.state.ledger.total() == 0
    assert check_store(second.restart().store) == []
