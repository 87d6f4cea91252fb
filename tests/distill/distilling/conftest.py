"""One run that nothing interrupted, for all tests of the folder."""

import pytest

from app.distill.distilling.outcome import Outcome
from tests.distill.distilling.runs import Told, plan_of, run
from tests.students.tiny import Tiny


@pytest.fixture(scope="session")
def told() -> Told:
    """What the whole run said."""
    return Told()


@pytest.fixture(scope="session")
def whole(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory, told: Told) -> Outcome:
    """From a dataset, with one round of augmentation."""
    return run(tiny, plan_of(tiny, tmp_path_factory.mktemp("whole")), told=told)
