"""A running server, and teachers that ask it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from prometheus_client import REGISTRY

from app.settings import Settings
from app.teacher import Teacher, TeacherError
from tests.teacher.openai_server import OpenAIServer


class Clock:
    """In seconds; a test turns it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


PATIENT = 60.0
"""A time limit that no test is meant to reach, on however busy a machine."""


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


@pytest.fixture
async def make_teacher(server: OpenAIServer) -> AsyncIterator[Callable[..., Teacher]]:
    """A teacher that asks the server; keyword arguments are settings without their ``teacher_``."""

    made: list[Teacher] = []

    def make(**settings: object) -> Teacher:
        given = {"base_url": server.base_url, "api_key": server.key, "typical_seconds": 0.05, **settings}
        made.append(Teacher(Settings.model_validate({f"teacher_{name}": value for name, value in given.items()})))
        return made[-1]

    yield make
    for teacher in made:
        await teacher.close()


class Counted:
    """How much each Prometheus sample has grown since this object was made."""

    def __init__(self) -> None:
        self._before = self._now()

    def __call__(self, name: str, **labels: str) -> float:
        key = name, frozenset(labels.items())
        return self._now().get(key, 0.0) - self._before.get(key, 0.0)

    def outcome(self, outcome: str) -> float:
        return self("recolor_teacher_requests_total", outcome=outcome)

    @staticmethod
    def _now() -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for metric in REGISTRY.collect()
            for sample in metric.samples
        }


@pytest.fixture
def counted() -> Counted:
    return Counted()


async def reason_of(teacher: Teacher, seconds: float = PATIENT) -> str:
    with pytest.raises(TeacherError) as caught:
        await teacher.answer("winter", "filter", seconds)
    return caught.value.reason


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENT):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in the server's thread
            await asyncio.sleep(0.01)
