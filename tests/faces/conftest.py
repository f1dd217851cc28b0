"""Factories for the tests of all faces."""

from collections.abc import Iterator

import pytest

from tests.faces.factory_world import World, make_world


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    """A factory of the test's own."""
    made = make_world(tmp_path)
    yield made
    made.application.stop()


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory) -> Iterator[World]:
    """A factory for tests that change nothing others rely on."""
    made = make_world(tmp_path_factory.mktemp("factory"))
    yield made
    made.application.stop()
