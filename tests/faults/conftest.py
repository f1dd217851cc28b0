"""One process that forks servers, for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.faults.harness import RealFactory, Zygote, a_factory


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    made = Zygote()
    yield made
    made.close()


@pytest.fixture
def factory(zygote: Zygote) -> Iterator[RealFactory]:
    """A factory of the test's own, not started."""
    with a_factory(zygote) as made:
        yield made
