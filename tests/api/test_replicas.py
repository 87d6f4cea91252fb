"""Two replicas, each a process of its own, over one Redis."""

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.api.service import PATIENCE, until
from tests.api.test_process import Process, ask, get, logged, process
from tests.serving.redis_server import RedisServer


@pytest.fixture
def two(redis: RedisServer) -> Iterator[tuple[Process, Process]]:
    redis.protect("hunter2")
    url = redis.url.replace("unix://", "unix://:hunter2@")
    # Patient, since the machine may be busy; but a Redis that hangs is to be noticed.
    told = {"RECOLOR_REDIS_URL": url, "RECOLOR_REDIS_SECONDS": "2", "RECOLOR_RATE_LIMIT": "1000000/minute"}
    with process(**told, GATE="never opened") as one, process(**told) as other:
        yield one, other


def works(url: str) -> bool:
    return "recolor_cache_up 1.0" in get(f"{url}/metrics").text


def test_replicas_share_answers_and_go_on_without_redis(two: tuple[Process, Process], redis: RedisServer) -> None:
    one, other = (replica.wait_until_ready() for replica in two)
    until(lambda: works(one) and works(other))

    assert ask(one, "an unmistakable wish").json()["cached"] is False
    until(lambda: len(redis.names() - counters(redis)) == 3)
    assert ask(other, "an unmistakable wish").json()["cached"] is True
    assert {redis.client.get(name) for name in counters(redis)} == {"2"}

    answers: list[httpx.Response] = []
    ended = threading.Event()

    def keep_asking(url: str) -> None:
        with httpx.Client(base_url=url, timeout=PATIENCE) as client:
            while not ended.is_set():
                answers.append(client.post("/recolor", json={"intent": f"look {len(answers) % 40}"}))

    with ThreadPoolExecutor() as threads:
        errors = [threads.submit(replica.process.stderr.read) for replica in two]
        for url in (one, other):
            threads.submit(keep_asking, url)
        try:
            redis.kill()
            until(lambda: not works(one) and not works(other))
            redis.start()
            redis.protect("hunter2")
            until(lambda: works(one) and works(other))
            redis.hang()
            until(lambda: not works(one) and not works(other))
            redis.go_on()
            until(lambda: works(one) and works(other))
        finally:
            ended.set()
        for replica in two:
            replica.process.send_signal(signal.SIGTERM)
        logs = [error.result() for error in errors]

    assert len(answers) > 10
    assert {answer.status_code for answer in answers} == {200}
    assert [replica.process.wait(60) for replica in two] == [0, 0]
    for log in logs:
        said = [line["event"] for line in logged(log) if "Redis" in line["event"]]
        assert said == ["Redis fails", "Redis works again"] * 2
        assert "hunter2" not in log
        assert "unmistakable" not in log


def test_what_a_killed_replica_was_making_is_made_by_the_other(
    two: tuple[Process, Process], redis: RedisServer
) -> None:
    one, other = (replica.wait_until_ready() for replica in two)
    until(lambda: works(one) and works(other))
    with ThreadPoolExecutor() as threads:
        lost = threads.submit(ask, one, "slow dusk")
        until(lambda: any(name.endswith(":lease") for name in redis.names()))
        two[0].process.kill()
        assert ask(other, "slow dusk").json()["failed"] == {}
        assert isinstance(lost.exception(), httpx.HTTPError)


def counters(redis: RedisServer) -> set[str]:
    return {name for name in redis.names() if name.startswith("recolor:rate:")}
