"""What keeps a sick or busy teacher from costing: the breaker, the cap on concurrent calls, cancellation."""

import asyncio
from collections.abc import Callable

import pytest

from app.teacher import Teacher, TeacherError
from tests.teacher.conftest import PATIENT, Clock, Counted, reason_of, until
from tests.teacher.openai_server import Fail, OpenAIServer, Say

MakeTeacher = Callable[..., Teacher]
WINTER = Say.settings({"name": "winter", "intensity": 70})


def clock_of(teacher: Teacher) -> Clock:
    """The breaker's, from now on."""
    teacher._breaker._clock = clock = Clock()
    return clock


async def test_the_breaker_opens_lets_one_probe_through_and_closes(
    server: OpenAIServer, make_teacher: MakeTeacher, counted: Counted
) -> None:
    server.reply("filter", Fail(500), Fail(500), Fail(500), WINTER)
    teacher = make_teacher(retries=0, concurrency=1, breaker_failures=2, breaker_seconds=30)
    clock = clock_of(teacher)
    assert teacher.ready
    for _ in range(4):
        assert await reason_of(teacher) == "teacher_error"
    assert len(server.calls) == 2, "an open breaker calls no one"
    assert counted.outcome("breaker_open") == 2

    clock.now += 30
    assert teacher.ready
    assert await reason_of(teacher) == "teacher_error"
    assert not teacher.ready, "the probe failed"
    assert len(server.calls) == 3

    clock.now += 30
    answers = await asyncio.gather(*(teacher.answer("winter", "filter", PATIENT) for _ in range(5)))
    assert all(answer.settings is not None for answer in answers)
    assert len(server.calls) == 8


@pytest.mark.parametrize(("probe", "calls"), [(WINTER, 4), (Fail(500), 2)])
async def test_who_comes_during_a_probe_waits_for_its_verdict(
    server: OpenAIServer, make_teacher: MakeTeacher, probe: Say | Fail, calls: int
) -> None:
    """The tools of one request come together: the first is the probe, and the others are not to suffer for it."""
    server.reply("filter", Fail(500), probe, WINTER)
    teacher = make_teacher(retries=0, breaker_failures=1, breaker_seconds=30)
    clock = clock_of(teacher)
    await reason_of(teacher)
    clock.now += 30
    server.gate.clear()
    asked = [asyncio.create_task(teacher.answer("winter", "filter", PATIENT)) for _ in range(3)]
    await until(lambda: len(server.calls) == 2)
    await asyncio.sleep(0.1)
    assert len(server.calls) == 2, "nobody else is sent before the verdict"
    server.gate.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert len(server.calls) == calls
    assert sum(isinstance(answer, TeacherError) for answer in answers) == (0 if calls == 4 else 3)


async def test_a_retry_does_not_go_through_an_open_breaker(server: OpenAIServer, make_teacher: MakeTeacher) -> None:
    server.reply("filter", Fail(500))
    assert await reason_of(make_teacher(retries=5, breaker_failures=2)) == "teacher_error"
    assert len(server.calls) == 2


async def test_who_waited_for_a_slot_while_the_breaker_opened_is_not_let_through(
    server: OpenAIServer, make_teacher: MakeTeacher
) -> None:
    server.reply("filter", Fail(500, delay=0.2))
    teacher = make_teacher(retries=0, concurrency=1, breaker_failures=1)
    assert await asyncio.gather(*(reason_of(teacher) for _ in range(3))) == ["teacher_error"] * 3
    assert len(server.calls) == 1


@pytest.mark.parametrize("status", [400, 422])
async def test_refusing_one_intent_does_not_open_the_breaker(
    server: OpenAIServer, make_teacher: MakeTeacher, status: int
) -> None:
    server.reply("filter", Fail(status))
    teacher = make_teacher(breaker_failures=1)
    await reason_of(teacher)
    assert teacher.ready


async def test_a_cancelled_call_is_given_up_and_frees_its_slot_and_the_probe(
    server: OpenAIServer, make_teacher: MakeTeacher, counted: Counted
) -> None:
    server.reply("filter", Fail(500), Say(WINTER.text, delay=2 * PATIENT), WINTER)
    teacher = make_teacher(retries=0, concurrency=1, breaker_failures=1, breaker_seconds=30)
    clock = clock_of(teacher)
    await reason_of(teacher)
    clock.now += 30
    probe = asyncio.create_task(teacher.answer("winter", "filter", 2 * PATIENT))
    await until(lambda: len(server.calls) == 2)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert await asyncio.to_thread(server.calls[1].abandoned.wait, PATIENT)
    assert counted.outcome("cancelled") == 1
    assert (await teacher.answer("winter", "filter", PATIENT)).settings is not None


async def test_no_more_calls_than_allowed_are_made_at_once(server: OpenAIServer, make_teacher: MakeTeacher) -> None:
    server.reply("filter", WINTER)
    server.gate.clear()
    teacher = make_teacher(concurrency=2)
    asked = [asyncio.create_task(teacher.answer(f"winter {i}", "filter", PATIENT)) for i in range(7)]
    await until(lambda: server.most_at_once == 2)
    await asyncio.sleep(0.1)
    server.gate.set()
    answers = await asyncio.gather(*asked)
    assert len({call.intent for call in server.calls}) == len(answers) == 7
    assert server.most_at_once == 2


async def test_waiting_for_a_slot_counts_against_the_time_and_blames_no_one(
    server: OpenAIServer, make_teacher: MakeTeacher, counted: Counted
) -> None:
    server.reply("filter", Say(WINTER.text, delay=2 * PATIENT), WINTER)
    teacher = make_teacher(concurrency=1, breaker_failures=1)
    first = asyncio.create_task(teacher.answer("winter", "filter", 2 * PATIENT))
    await until(lambda: server.calls)
    assert await reason_of(teacher, seconds=0.3) == "timeout"
    assert counted.outcome("no_time") == 1
    waiting = asyncio.create_task(teacher.answer("winter", "filter", PATIENT))
    await asyncio.sleep(0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(server.calls) == 1
    assert teacher.ready
    first.cancel()
    assert (await teacher.answer("winter", "filter", PATIENT)).settings is not None
