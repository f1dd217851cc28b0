"""Fixtures for the suites that run on every implementation."""

import pytest

from tests.contracts.postgres import Cluster, NoPostgres


@pytest.fixture(scope="session")
def cluster():
    """A PostgreSQL of the tests' own, or a visible skip."""
    try:
        running = Cluster()
    except NoPostgres as reason:
        pytest.skip(f"no PostgreSQL to test with: {reason}")
    yield running
    running.stop()
