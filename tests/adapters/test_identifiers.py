"""Seeded ids: the same for the same seed, in ascending order, however many an instant asks for."""

from eisbach.adapters import identifiers
from eisbach.adapters.identifiers import COUNTS, SeededIds

NOW = 1_767_571_200_000


def test_they_follow_from_the_seed_and_ascend():
    first, again, other = SeededIds(1), SeededIds(1), SeededIds(2)
    made = [first.new("job", NOW + at_ms) for at_ms in (0, 0, 1, 1, 1, 5_000_000)]
    assert made == sorted(set(made))
    assert made == [again.new("job", NOW + at_ms) for at_ms in (0, 0, 1, 1, 1, 5_000_000)]
    assert made[0] != other.new("job", NOW)


def test_more_than_a_millisecond_holds_go_on_in_the_next_one(monkeypatch):
    monkeypatch.setattr(identifiers, "COUNTS", 4)
    ids = SeededIds(1)
    made = [ids.new("job", NOW) for _ in range(11)] + [ids.new("job", NOW + 1), ids.new("job", NOW + 2), ids.new("job", NOW + 3)]
    assert made == sorted(set(made))
    again = SeededIds(1)
    assert made[:11] == [again.new("job", NOW) for _ in range(11)]


def test_a_millisecond_holds_as_many_as_its_count_has_characters_for():
    ids = SeededIds(1)
    ids.new("job", NOW)
    ids._count = COUNTS - 2
    last, following = ids.new("job", NOW), ids.new("job", NOW)
    assert last < following
    assert last.endswith("zzzz")
    assert following.endswith("0000")
