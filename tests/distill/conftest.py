"""What the tests of distillation share."""

from pathlib import Path

import pytest

from app.distill.dataset import Example, read_dataset

DATASETS = Path(__file__).resolve().parents[2] / "model_store" / "datasets"


@pytest.fixture(scope="session")
def teacher() -> list[Example]:
    """The whole teacher dataset."""
    return read_dataset(DATASETS / "teacher.jsonl")
