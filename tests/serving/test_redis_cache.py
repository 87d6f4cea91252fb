"""Replicas share what they answer, and Redis' death costs none of them an answer."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from app.grade import TOOLS, Adjust
from app.serving import MemoryCache, Recolorer, Recoloring, RedisCache, lease
from app.serving import cache as cache_module
from app.serving.cache import cache_key
from app.serving.redis_link import RedisLink
from app.serving.verdict import Decided
from app.students import Answer, EngineError
from tests.serving.engines import ScriptedEngine, look
from tests.serving.helpers import Kept, ask, eventually, linked, replica_of, settings
from tests.serving.redis_server import RedisServer
from tests.serving.teachers import LESSON, ScriptedTeacher
from tests.serving.test_redis_link import OUTAGES

DUSK = {tool: look("dusk", tool) for tool in TOOLS}


@pytest.fixture(autouse=True)
def _long_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is busy a lease is renewed late; it is not to be lost by that."""
    monkeypatch.setattr(lease, "LIFETIME_MS", 3000)


@dataclass
class Replica:
    engine: ScriptedEngine
    recolorer: Recolorer
    link: RedisLink

    async def share(self, *request: str) -> Recoloring:
        """Its answer, once Redis has it."""
        answer = await self.recolorer.recolor(ask(*request))
        await self.link.ask("PING")
        return answer


@asynccontextmanager
async def replicas(
    url: str, *engines: ScriptedEngine, redis_seconds: float = 5, **changes: Any
) -> AsyncIterator[list[Replica]]:
    """A replica over each engine."""
    async with AsyncExitStack() as stack:
        made = []
        for engine in engines:
            link = await stack.enter_async_context(linked(url, redis_seconds=redis_seconds))
            made.append(Replica(engine, await stack.enter_async_context(replica_of(engine, link, **changes)), link))
        yield made


@pytest.fixture
async def two(redis: RedisServer) -> AsyncIterator[list[Replica]]:
    async with replicas(redis.url, ScriptedEngine(), ScriptedEngine()) as made:
        yield made


async def test_what_one_replica_answered_the_other_has_and_remembers(two: list[Replica], redis: RedisServer) -> None:
    one, other = two
    first = await one.share("dusk")
    again = await other.recolorer.recolor(ask("Dusk "))
    assert (first.cached, again.cached) == (False, True)
    assert (again.tools, again.sources) == (DUSK, first.sources)
    redis.kill()
    assert (await other.recolorer.recolor(ask("dusk"))).cached
    assert other.engine.batches == []


async def test_who_decided_is_shared_and_so_is_a_decision_for_nothing(redis: RedisServer) -> None:
    broken = ScriptedEngine(script={("dusk", "adjust"): Answer("?"), ("dusk", "filter"): Answer("<unused>")})
    async with replicas(redis.url, broken, ScriptedEngine(), teacher=ScriptedTeacher()) as (one, other):
        await one.share("dusk")
        answer = await other.recolorer.recolor(ask("dusk"))
    assert answer.cached
    assert answer.tools == DUSK | {"adjust": LESSON["adjust"], "filter": None}
    assert answer.sources == {"adjust": "teacher", "selective_adjust": "student", "filter": "student"}


async def test_whoever_decided_is_named_after_another_teacher_has_come(redis: RedisServer) -> None:
    """In the log, by whose models the next student's data are chosen."""
    unread = {("dusk", tool): Answer(None) for tool in TOOLS}
    async with replicas(redis.url, ScriptedEngine(unread), teacher=ScriptedTeacher(), teacher_model="old") as (one,):
        await one.share("dusk")
    events = Kept()
    async with replicas(redis.url, ScriptedEngine(), teacher_model="new", events=events) as (one,):
        for _ in range(2):  # from Redis, then from memory
            assert (await one.recolorer.recolor(ask("dusk"))).cached
    assert [{tool.model for tool in serve.tools} for serve in events.serves] == [{"old"}] * 2


async def test_redis_holds_no_text_and_nothing_for_ever(two: list[Replica], redis: RedisServer) -> None:
    await two[0].share("an unmistakable wish")
    kept = {name: redis.client.get(name) or "" for name in redis.names()}
    assert len(kept) == 3
    assert not any(word in f"{name} {value}" for name, value in kept.items() for word in ("unmistakable", "wish"))
    assert all(0 < redis.client.ttl(name) <= 3600 for name in kept)
    assert all(set(json.loads(value)) == {"source", "model", "settings"} for value in kept.values())


@pytest.mark.parametrize("change", [{"model": "scripted@2"}, {"decoding": "free"}])
async def test_another_student_does_not_meet_the_answers(redis: RedisServer, change: dict[str, str]) -> None:
    async with replicas(redis.url, ScriptedEngine(), ScriptedEngine(**change)) as (one, other):
        await one.share("dusk")
        assert not (await other.recolorer.recolor(ask("dusk"))).cached


async def test_other_schemas_do_not_meet_the_answers(two: list[Replica], monkeypatch: pytest.MonkeyPatch) -> None:
    await two[0].share("dusk")
    monkeypatch.setattr(cache_module, "SCHEMA_VERSION", "another")
    assert not (await two[1].recolorer.recolor(ask("dusk"))).cached


FULL = Adjust(exposure=10).model_dump()


def entry(settings: dict[str, Any]) -> str:
    """As it lies in Redis."""
    return json.dumps({"source": "student", "model": "scripted@1", "settings": settings})


@pytest.mark.parametrize(
    "value",
    [
        "",
        "not json",
        b"\xff\xfe",
        "null",
        "[" * 10_000,
        '{"source":"student","model":"scripted@1"}',
        '{"source":"student","settings":null}',
        '{"source":"stranger","model":"scripted@1","settings":null}',
        '{"source":"student","model":"scripted@1","settings":null,"more":1}',
        entry({"exposure": 10}),
        entry(FULL | {"exposure": 101}),
        entry(FULL | {"exposure": "10"}),
        entry(FULL | {"exposure": 0}),
        entry({"name": "vivid", "intensity": 40}),
    ],
)
async def test_what_no_replica_has_written_is_missing_and_written_anew(
    two: list[Replica], redis: RedisServer, value: str | bytes
) -> None:
    one, other = two
    await one.share("dusk", "adjust")
    (name,) = redis.names()
    good = redis.client.get(name)
    redis.client.set(name, value)
    answer = await other.recolorer.recolor(ask("dusk", "adjust"))
    assert (answer.tools["adjust"], answer.cached) == (DUSK["adjust"], False)
    await other.link.ask("PING")
    assert redis.client.get(name) == good


async def test_a_value_of_another_type_is_missing_and_written_anew(two: list[Replica], redis: RedisServer) -> None:
    one, other = two
    await one.share("dusk", "filter")
    (name,) = redis.names()
    redis.client.delete(name)
    redis.client.rpush(name, "a list")
    assert (await other.recolorer.recolor(ask("dusk", "filter"))).tools == {"filter": DUSK["filter"]}
    await other.link.ask("PING")
    assert redis.client.type(name) == "string"


@pytest.mark.parametrize("outage", OUTAGES)
async def test_no_outage_costs_an_answer(redis: RedisServer, outage: Callable[[RedisServer], None]) -> None:
    ended = asyncio.Event()

    async def keep_asking(replica: Replica, caller: int) -> int:
        count = 0
        while not ended.is_set():
            intent = f"look {count % 50}" if caller else f"look {count}"
            answer = await replica.recolorer.recolor(ask(intent))
            assert answer.failed == {}
            assert answer.tools == {tool: look(intent, tool) for tool in TOOLS}
            count += 1
            await asyncio.sleep(0.002)
        return count

    async with replicas(redis.url, ScriptedEngine(), ScriptedEngine(), redis_seconds=0.05) as two:
        callers = [asyncio.create_task(keep_asking(replica, caller)) for replica in two for caller in range(3)]
        await asyncio.sleep(0.05)
        outage(redis)
        await eventually(lambda: not any(replica.link.up for replica in two))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(redis.reset)
        await eventually(lambda: all(replica.link.up for replica in two))
        await asyncio.sleep(0.05)
        ended.set()
        assert min(await asyncio.gather(*callers)) > 0


async def test_a_replica_starts_and_answers_without_redis(redis: RedisServer) -> None:
    redis.kill()
    link = RedisLink(settings(redis_url=redis.url))
    link.start()
    async with replica_of(ScriptedEngine(), link) as recolorer:
        assert [(await recolorer.recolor(ask("dusk"))).cached for _ in range(2)] == [False, True]
    await link.close()


async def test_of_requests_at_once_over_two_replicas_one_is_generated(two: list[Replica]) -> None:
    for replica in two:
        replica.engine.gate.clear()
    requests = [asyncio.create_task(two[number % 2].recolorer.recolor(ask("dusk"))) for number in range(40)]
    await eventually(lambda: any(replica.engine.batches for replica in two))
    await asyncio.sleep(1.5 * lease.LIFETIME_MS / 1000)  # whoever works renews the lease
    for replica in two:
        replica.engine.gate.set()
    answers = await asyncio.gather(*requests)
    assert all((answer.tools, answer.cached) == (DUSK, False) for answer in answers)
    assert sum(len(replica.engine.batches) for replica in two) == 1


async def test_a_failure_gives_the_lease_back_at_once_and_the_others_try(two: list[Replica]) -> None:
    one, other = two
    one.engine.gate.clear()
    one.engine.failures = [EngineError("broken")]
    failing = asyncio.create_task(one.recolorer.recolor(ask("dusk")))
    await eventually(lambda: len(one.engine.batches) == 1)
    waiting = asyncio.create_task(other.recolorer.recolor(ask("dusk")))
    await asyncio.sleep(0.1)
    assert other.engine.batches == []
    one.engine.gate.set()
    with pytest.raises(RuntimeError):
        await failing
    assert (await waiting).tools == DUSK
    assert len(other.engine.batches) == 1


async def test_of_what_is_made_elsewhere_only_the_failed_part_is_made_here(two: list[Replica]) -> None:
    one, other = two
    one.engine.gate.clear()
    one.engine.script["dusk", "filter"] = Answer("?")
    first = asyncio.create_task(one.recolorer.recolor(ask("dusk")))
    await eventually(lambda: len(one.engine.batches) == 1)
    waiting = asyncio.create_task(other.recolorer.recolor(ask("dusk")))
    await asyncio.sleep(0.05)
    one.engine.gate.set()
    assert (await first).failed == {"filter": "schema"}
    assert (await waiting).tools == DUSK
    assert [[prompt.tool for prompt in batch] for batch in other.engine.batches] == [["filter"]]


async def test_a_dead_holder_costs_no_more_than_the_leases_lifetime(two: list[Replica], redis: RedisServer) -> None:
    one, other = two
    one.engine.gate.clear()
    dying = asyncio.create_task(one.recolorer.recolor(ask("dusk")))
    await eventually(lambda: len(one.engine.batches) == 1)
    one.link._task.cancel()  # as if its process had been killed: it renews nothing and gives nothing back
    (held, *_) = (name for name in redis.names() if name.endswith(":lease"))
    assert 0 < redis.client.pttl(held) <= lease.LIFETIME_MS
    assert (await other.recolorer.recolor(ask("dusk"))).tools == DUSK
    one.engine.gate.set()
    await dying


async def test_who_waits_keeps_enough_time_for_its_own_student(redis: RedisServer) -> None:
    engines = ScriptedEngine(), ScriptedEngine()
    async with replicas(redis.url, *engines, deadline_seconds=60, student_seconds=59.5) as (one, other):
        one.engine.gate.clear()
        stuck = asyncio.create_task(one.recolorer.recolor(ask("dusk")))
        await eventually(lambda: len(one.engine.batches) == 1)
        assert (await other.recolorer.recolor(ask("dusk"))).tools == DUSK
        assert not stuck.done()
        one.engine.gate.set()
        await stuck


async def test_who_waits_while_redis_dies_goes_to_work(two: list[Replica], redis: RedisServer) -> None:
    one, other = two
    one.engine.gate.clear()
    first = asyncio.create_task(one.recolorer.recolor(ask("dusk")))
    await eventually(lambda: len(one.engine.batches) == 1)
    waiting = asyncio.create_task(other.recolorer.recolor(ask("dusk")))
    await asyncio.sleep(0.05)
    redis.kill()
    assert (await waiting).tools == DUSK
    one.engine.gate.set()
    assert (await first).tools == DUSK


async def test_a_part_that_nobody_makes_is_not_waited_with(two: list[Replica]) -> None:
    one, other = two
    one.engine.gate.clear()
    first = asyncio.create_task(one.recolorer.recolor(ask("dusk", "adjust")))
    await eventually(lambda: len(one.engine.batches) == 1)
    assert (await other.recolorer.recolor(ask("dusk"))).tools == DUSK
    one.engine.gate.set()
    await first


async def test_a_cancelled_request_gives_its_lease_back(two: list[Replica], redis: RedisServer) -> None:
    two[0].engine.gate.clear()
    request = asyncio.create_task(two[0].recolorer.recolor(ask("dusk")))
    await eventually(lambda: len(redis.names()) == 3)
    request.cancel()
    await eventually(lambda: redis.names() == set())


async def test_a_lease_that_was_lost_is_not_taken_from_its_new_holder(two: list[Replica], redis: RedisServer) -> None:
    two[0].engine.gate.clear()
    request = asyncio.create_task(two[0].recolorer.recolor(ask("dusk", "adjust")))
    await eventually(lambda: len(redis.names()) == 1)
    (held,) = redis.names()
    redis.client.set(held, "another", px=60_000)
    two[0].engine.gate.set()
    await request
    await two[0].link.ask("PING")
    assert redis.client.get(held) == "another"


async def test_without_memory_redis_alone_is_the_cache(redis: RedisServer) -> None:
    engine = ScriptedEngine()
    async with linked(redis.url) as link, replica_of(engine, link, entries=0) as recolorer:
        assert [(await recolorer.recolor(ask("dusk"))).cached for _ in range(3)] == [False, True, True]
        assert len(engine.batches) == 1


async def test_only_what_is_not_in_memory_is_asked_for_in_one_command(redis: RedisServer) -> None:
    kept, engine = Decided(Adjust(exposure=10), "student", "scripted@1"), ScriptedEngine()
    keys = [cache_key(engine, tool, "dusk") for tool in TOOLS]
    async with linked(redis.url) as link:
        cache = RedisCache(MemoryCache(10), link, 60)
        await cache.set(keys[0], kept)
        await link.ask("PING")
        redis.client.config_resetstat()
        assert await cache.get_many(keys) == [kept, None, None]
        assert await cache.get_many(keys[:1]) == [kept]
    assert redis.client.info("commandstats")["cmdstat_mget"]["calls"] == 1
