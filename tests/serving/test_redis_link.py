"""The link: fast when Redis works, out of the way when it does not."""

import asyncio
import time
from collections.abc import Callable

import pytest
import structlog

from app.serving.redis_link import RedisLink
from tests.serving.helpers import eventually, linked, metric, settings
from tests.serving.redis_server import RedisServer


async def test_whatever_is_asked_at_once_is_answered_in_order_on_one_connection(redis: RedisServer) -> None:
    async with linked(redis.url) as link:
        before = redis.client.info("clients")["connected_clients"]
        answers = await asyncio.gather(*(link.ask("ECHO", str(number)) for number in range(2000)))
        assert answers == [str(number).encode() for number in range(2000)]
        assert redis.client.info("clients")["connected_clients"] == before


async def test_who_leaves_does_not_disturb_the_others(redis: RedisServer) -> None:
    async with linked(redis.url) as link:
        questions = [link.ask("ECHO", str(number)) for number in range(10)]
        for question in questions[::2]:
            question.cancel()
        assert await asyncio.gather(*questions[1::2]) == [b"1", b"3", b"5", b"7", b"9"]
        assert await link.ask("ECHO", "still here") == b"still here"


async def test_a_refused_command_has_no_answer_and_costs_the_others_nothing(redis: RedisServer) -> None:
    redis.client.rpush("list", "x")
    async with linked(redis.url) as link:
        assert await asyncio.gather(link.ask("INCR", "list"), link.ask("PING")) == [None, b"PONG"]
        assert await link.ask("PING") == b"PONG"


async def test_an_answer_is_not_lost_because_this_process_was_busy(redis: RedisServer) -> None:
    async with linked(redis.url, redis_seconds=2) as link:
        for turns in range(6):
            question = link.ask("ECHO", "in time")
            for _ in range(turns):
                await asyncio.sleep(0)
            time.sleep(1.1)  # noqa: ASYNC251 - the loop is busy, wherever the question is on its way
            assert await question == b"in time"


async def test_what_was_asked_last_is_sent_before_closing(redis: RedisServer) -> None:
    async with linked(redis.url) as link:
        link.ask("SET", "last", "word")
    assert redis.client.get("last") == "word"
    await eventually(lambda: redis.client.info("clients")["connected_clients"] == 1)


def kill(redis: RedisServer) -> None:
    redis.kill()


def hang(redis: RedisServer) -> None:
    redis.hang()


def only_read(redis: RedisServer) -> None:
    redis.client.replicaof("127.0.0.1", 1)


def be_full(redis: RedisServer) -> None:
    redis.client.config_set("maxmemory", 1)


def change_the_password(redis: RedisServer) -> None:
    redis.protect("changed")
    redis.client.client_kill_filter(_type="normal", skipme=True)


OUTAGES = {
    kill: "ConnectionError",
    hang: "TimeoutError",
    only_read: "ReadOnlyError",
    be_full: "OutOfMemoryError",
    change_the_password: "AuthenticationError",
}


SAID = [("Redis fails", "error"), ("Redis works again", "info")]


@pytest.mark.parametrize(("outage", "reason"), OUTAGES.items())
async def test_an_outage_is_said_once_and_so_is_its_end(
    redis: RedisServer, outage: Callable[[RedisServer], None], reason: str
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with linked(redis.url, redis_seconds=1) as link:
            assert metric("recolor_cache_up") == 1
            outage(redis)
            while metric("recolor_cache_up"):
                await link.ask("SET", "key", "value")
                await asyncio.sleep(0.001)
            assert link.ask("SET", "key", "value").done(), "nobody waits for what is known to be down"
            await asyncio.sleep(0.6)  # more than one try to mend it
            await asyncio.to_thread(redis.reset)
            await eventually(lambda: link.up)
            assert metric("recolor_cache_up") == 1
            assert await link.ask("PING") == b"PONG"
    assert logs[0]["reason"].startswith(reason)
    assert [(line["event"], line["log_level"]) for line in logs] == SAID


async def test_a_connection_that_was_cut_is_made_anew_without_a_word(redis: RedisServer) -> None:
    with structlog.testing.capture_logs() as logs:
        async with linked(redis.url) as link:
            redis.client.client_kill_filter(_type="normal", skipme=True)
            await link.ask("PING")
            await eventually(lambda: link.up)
            assert await link.ask("PING") == b"PONG"
    assert logs == []


async def test_commands_that_are_refused_are_an_outage_until_they_are_answered(redis: RedisServer) -> None:
    """Although the link holds, and Redis answers other commands."""
    with structlog.testing.capture_logs() as logs:
        async with linked(redis.limit("-mget")) as link:
            for _ in range(5):
                assert await asyncio.gather(link.ask("MGET", "a"), link.ask("ECHO", "b")) == [None, b"b"]
                await link.ask("PING")
                assert (link.up, metric("recolor_cache_up")) == (True, 0)
            redis.limit()
            assert await link.ask("MGET", "a") == [None]
            await eventually(lambda: metric("recolor_cache_up") == 1)
    assert [(line["event"], line["log_level"]) for line in logs] == SAID
    assert logs[0]["reason"].startswith("NoPermissionError")


async def test_a_script_that_is_refused_is_not_made_good_by_another(redis: RedisServer) -> None:
    async with linked(redis.limit("-exists")) as link:
        scripts = ["return redis.call('EXISTS', KEYS[1])", "return 1"]
        assert [await link.ask("EVAL", script, 1, "key") for script in scripts] == [None, 1]
        await link.ask("PING")
        assert metric("recolor_cache_up") == 0


async def test_two_ways_of_refusing_are_said_once_each(redis: RedisServer) -> None:
    with structlog.testing.capture_logs() as logs:
        async with linked(redis.limit("-mget", "-exists")) as link:
            for _ in range(3):
                await link.ask("MGET", "a")
                await link.ask("EVAL", "return redis.call('EXISTS', KEYS[1])", 1, "key")
    assert [line["reason"].partition(":")[0] for line in logs] == ["NoPermissionError", "ResponseError"]


async def test_a_redis_that_proves_itself_and_answers_nothing_else_is_an_outage(redis: RedisServer) -> None:
    with structlog.testing.capture_logs() as logs:
        async with linked(redis.url, redis_seconds=1) as link:

            async def ask_in_vain() -> None:
                await eventually(lambda: link.up)
                assert await link.ask("BLPOP", "empty", 0) is None
                await eventually(lambda: not link.up)

            await ask_in_vain()
            for _ in range(2):
                await ask_in_vain()
                assert metric("recolor_cache_up") == 0
                assert link.ask("PING").done(), "nobody waits for what is known to be down"
            await eventually(lambda: link.up)
            redis.client.rpush("empty", "filled")
            assert await link.ask("BLPOP", "empty", 0) == [b"empty", b"filled"]
            await eventually(lambda: metric("recolor_cache_up") == 1)
    assert [(line["event"], line["log_level"]) for line in logs] == SAID
    assert logs[0]["reason"].startswith("TimeoutError")


async def test_an_idle_link_finds_out_by_itself(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.serving.redis_link.IDLE_SECONDS", 0.02)
    async with linked(redis.url) as link:
        redis.kill()
        await eventually(lambda: not link.up)


async def test_a_link_that_never_was_asks_nothing_and_closes(redis: RedisServer) -> None:
    redis.kill()
    link = RedisLink(settings(redis_url=redis.url))
    link.start()
    assert await link.ask("PING") is None
    await link.close()
    assert metric("recolor_cache_up") == 0


async def test_a_password_and_a_database_in_the_url_are_used(redis: RedisServer) -> None:
    redis.protect("p@ss/word")
    path = redis.url.removeprefix("unix://")
    async with linked(f"unix://:p%40ss%2Fword@{path}?db=3") as link:
        await link.ask("SET", "key", "value")
    assert redis.client.info("keyspace")["db3"]["keys"] >= 1


async def test_a_wrong_password_is_not_shown(redis: RedisServer) -> None:
    redis.protect("right")
    with structlog.testing.capture_logs() as logs:
        link = RedisLink(settings(redis_url=redis.url.replace("unix://", "unix://:hunter2@")))
        link.start()
        await eventually(lambda: len(logs) == 1)
        await link.close()
    assert logs[0]["event"] == "Redis fails"
    assert "hunter2" not in str(logs)


@pytest.mark.parametrize(
    "url",
    [
        "http://:hunter2@redis",
        "redis:6379?hunter2",
        "redis://",
        "redis://:hun/ter2@redis",
        "redis://:hunter2@redis:port",
        "redis://:hunter2@redis/cache",
        "redis://redis?db=hunter2",
        "redis://redis?hunter2=1",
        "rediss://redis?ssl_cert_reqs=hunter2",
        "unix://",
        "hunter2",
        "none",
    ],
)
def test_an_url_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"^RECOLOR_REDIS_URL .*redis://host:6379/0") as refused:
        RedisLink(settings(redis_url=url))
    assert "hun" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize(
    "url",
    [
        "redis://redis",
        "redis://user:word@redis:6380/2",
        "rediss://redis?ssl_ca_certs=/ca.pem",
        "unix:///run/redis.sock",
    ],
)
def test_an_url_of_each_kind_is_taken(url: str) -> None:
    RedisLink(settings(redis_url=url))
