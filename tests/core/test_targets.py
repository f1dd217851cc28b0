"""Which nodes an operator means by a name, a pattern or a place."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.core.capacity.targets import Targets, choose, is_named, is_place, unknown_name
from tests.core.fleets import a_node


@pytest.mark.parametrize(
    ("name", "said", "is_it"),
    [
        ("rack-07", "rack-07", True),
        ("rack-07", "Rack-07", True),
        ("rack-07", "7", True),
        ("rack-07", "r7", True),
        ("rack-07", "rack 7", True),
        ("rack-07", "r70", False),
        ("rack-07", "hall-07", False),
        ("rack-17", "7", False),
        ("north", "north", True),
        ("north", "n", False),
        ("", "7", False),
        ("", "", True),
    ],
)
def test_a_place_is_said_as_people_say_it(name, said, is_it):
    assert is_place(name, said) is is_it


@given(st.text("ab*", max_size=6), st.text("ab", max_size=6))
def test_a_star_stands_for_anything(said, name):
    assert is_named(name, said) == fnmatchcase(name, said)


def test_nodes_are_chosen_by_all_that_is_said_and_removed_ones_never():
    nodes = [a_node("a-1"), a_node("a-2", site="there"), a_node("b-1"), a_node("a-3", removed=True)]
    assert [node.node for node in choose(nodes, Targets(names=("a-*",)))] == ["a-1", "a-2"]
    assert [node.node for node in choose(nodes, Targets(names=("a-*", "b-1"), site="here"))] == ["a-1", "b-1"]
    assert choose(nodes, Targets(names=("a-*",), rack="1")) == []
    assert unknown_name(nodes, Targets(names=("a-1", "a-3"))) == "a-3"
    assert unknown_name(nodes, Targets(names=("a-*",))) is None
    assert str(Targets(names=("a-1",), hall="2", rack="r7")) == "a-1 hall=2 rack=r7"
