from collections.abc import Iterator

import pytest

from tests.api.service import Service, served


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service without keys, limits or a teacher; one for all tests of a module."""
    with served() as running:
        yield running
