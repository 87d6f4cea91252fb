"""The rate limit: per key, or per address where there are no keys."""

import asyncio

import pytest

from app.api.rate import RateLimit
from tests.api.service import assert_error, served
from tests.serving.helpers import Counted, linked
from tests.serving.redis_server import RedisServer


def test_one_request_too_many_is_429_and_told_when_to_come_back() -> None:
    counted = Counted("recolor_rejected_total", reason="rate")
    with served(rate_limit="3/hour") as service:
        assert [service.recolor("dusk").status_code for _ in range(3)] == [200] * 3
        response = service.recolor("dusk")

        assert_error(response, 429, "too_many_requests")
        assert 1 <= int(response.headers["retry-after"]) <= 3600
        assert counted.growth == 1


def test_it_counts_again_after_the_window() -> None:
    with served(rate_limit="1/second") as service:
        statuses = [service.client.get("/tools").status_code for _ in range(2)]
        while statuses[-1] == 429:
            statuses.append(service.client.get("/tools").status_code)
    assert statuses[0] == statuses[-1] == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_and_scrapes_are_neither_limited_nor_counted(path: str) -> None:
    with served(rate_limit="1/hour") as service:
        assert [service.client.get(path).status_code for _ in range(3)] == [200] * 3
        assert service.recolor("dusk").status_code == 200
        assert service.recolor("dusk").status_code == 429
        assert service.client.get(path).status_code == 200


def test_each_key_has_its_own_limit_and_wrong_keys_have_none() -> None:
    one, other, wrong = ({"Authorization": f"Bearer {key}"} for key in ("one", "other", "wrong"))
    with served(rate_limit="1/hour", api_keys="one,other") as service:
        assert service.recolor("dusk", headers=wrong).status_code == 401
        assert service.recolor("dusk", headers=one).status_code == 200
        assert service.recolor("dusk", headers=one).status_code == 429
        assert service.recolor("dusk", headers=other).status_code == 200


def test_an_address_cannot_be_made_up() -> None:
    with served(rate_limit="1/hour") as service:
        assert service.recolor("dusk").status_code == 200
        assert service.recolor("dusk", headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 429


async def test_callers_do_not_share_a_limit() -> None:
    rate = RateLimit("2/minute")
    assert [await rate.wait(caller) for caller in "aab"] == [0, 0, 0]
    assert 1 <= await rate.wait("a") <= 60
    assert await rate.wait("b") == 0


async def test_no_limit_is_no_limit() -> None:
    rate = RateLimit("")
    assert [await rate.wait("a") for _ in range(10_000)] == [0] * 10_000


async def test_replicas_count_a_caller_together_and_do_not_ask_again_for_one_who_waits(redis: RedisServer) -> None:
    async with linked(redis.url) as first, linked(redis.url) as second:
        one, other = RateLimit("3/minute", first), RateLimit("3/minute", second)
        assert [await one.wait("a"), await other.wait("a"), await one.wait("a")] == [0, 0, 0]
        assert [0 < await replica.wait("a") <= 60 for replica in (one, other, one, other)] == [True] * 4
        assert await other.wait("b") == 0
        (counted,) = (redis.client.get(name) for name in redis.names() if redis.client.get(name) != "1")
        assert counted == "5", "once by each replica after the limit"


async def test_a_replica_far_from_the_limit_does_not_wait_for_the_common_count(redis: RedisServer) -> None:
    async with linked(redis.url) as first, linked(redis.url) as second:
        one, other = RateLimit("8/minute", first), RateLimit("8/minute", second)
        redis.hang()
        try:
            assert [await asyncio.wait_for(one.wait("a"), 1) for _ in range(4)] == [0] * 4
        finally:
            redis.go_on()
        await first.ask("PING")
        assert [await other.wait("a") for _ in range(4)] == [0] * 4
        await second.ask("PING")
        assert await other.wait("a") > 0, "both replicas' requests count"


async def test_the_shared_window_ends(redis: RedisServer) -> None:
    async with linked(redis.url) as link:
        rate = RateLimit("1/3 second", link)
        waits = [await rate.wait("a") for _ in range(2)]
        while waits[-1]:
            await asyncio.sleep(0.05)
            waits.append(await rate.wait("a"))
    assert waits[0] == 0 < waits[1] <= 3


async def test_without_redis_each_replica_goes_on_counting_from_where_they_were(redis: RedisServer) -> None:
    async with linked(redis.url) as link:
        one, other = RateLimit("5/minute", link), RateLimit("5/minute", link)
        assert [await rate.wait("a") for rate in (one, other, other)] == [0, 0, 0]
        await link.ask("PING")  # answered after the counts
        redis.kill()
        waits = [await other.wait("a") for _ in range(4)]
        assert waits[:2] == [0, 0]
        assert all(waits[2:])
        assert [await one.wait("a") for _ in range(4)] == [0] * 4


async def test_a_counter_that_is_none_counts_here(redis: RedisServer) -> None:
    async with linked(redis.url) as link:
        rate = RateLimit("2/minute", link)
        await rate.wait("a")
        await link.ask("PING")
        (name,) = redis.names()
        redis.client.set(name, "not a number")
        assert await rate.wait("a") == 0
        assert await rate.wait("a") > 0


async def test_callers_are_not_named_in_redis(redis: RedisServer) -> None:
    async with linked(redis.url) as link:
        await RateLimit("2/minute", link).wait("203.0.113.7")
    (name,) = redis.names()
    assert "203" not in name
    assert 0 < redis.client.pttl(name) <= 60_000


def test_a_limit_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ValueError, match=r"RECOLOR_RATE_LIMIT.*'often'.*600/minute"):
        RateLimit("often")
