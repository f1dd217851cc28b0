"""One factory in memory for each test that asks for it."""

import pytest

from tests.app.factory import new_factory


@pytest.fixture
def factory(tmp_path):
    """A node of 8 cores, a project with a budget of 1000 euro a month."""
    return new_factory(tmp_path)
