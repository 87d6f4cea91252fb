"""The teacher against a real server that speaks the OpenAI protocol: answers, failures, retries."""

import asyncio
import socket
import time
from collections.abc import Callable

import pytest

from app.grade import TOOLS, Filter
from app.grade.example import GRADE as EXAMPLE
from app.prompts.teacher import changed, system_prompt
from app.settings import Settings
from app.teacher import Teacher
from app.teacher.call import MAX_TOKENS
from tests.teacher.conftest import PATIENT, Counted, reason_of, until
from tests.teacher.openai_server import Body, Drop, Fail, OpenAIServer, Say

MakeTeacher = Callable[..., Teacher]
WINTER = Say.settings({"name": "winter", "intensity": 70})


async def test_a_good_answer_comes_back_with_settings_reasoning_and_tokens(
    server: OpenAIServer, make_teacher: MakeTeacher, counted: Counted
) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 200}
    server.reply("filter", Say('TOOL: Yes. Ice.\nJSON: {"name": "winter", "intensity": 70}', usage=usage))
    teacher = make_teacher(prompt_dollars=0.5, completion_dollars=1.5)
    answer = await teacher.answer("a cold morning", "filter", PATIENT)
    assert answer.settings == Filter(name="winter", intensity=70)
    assert answer.reasoning == "Yes. Ice."
    assert (answer.prompt_tokens, answer.completion_tokens) == (1000, 200)
    assert counted.outcome("ok") == 1
    assert counted("recolor_teacher_tokens_total", kind="prompt") == 1000
    assert counted("recolor_teacher_tokens_total", kind="completion") == 200
    assert counted("recolor_teacher_cost_dollars_total") == pytest.approx(1000 * 0.5e-6 + 200 * 1.5e-6)


async def test_what_is_sent_is_our_prompt_the_users_words_and_bounded_greedy_decoding(
    server: OpenAIServer, make_teacher: MakeTeacher
) -> None:
    server.reply("filter", WINTER)
    await make_teacher(model="some-model").answer("Île  d'hiver 🏔️", "filter", PATIENT)
    (call,) = server.calls
    assert call.body == {
        "model": "some-model",
        "messages": [
            {"role": "system", "content": system_prompt("filter")},
            {"role": "user", "content": "Île  d'hiver 🏔️"},
        ],
        "temperature": 0,
        "max_tokens": MAX_TOKENS,
    }


async def test_an_answer_after_three_and_a_half_seconds_is_taken(
    server: OpenAIServer, make_teacher: MakeTeacher
) -> None:
    server.reply("filter", Say.settings({"name": "winter", "intensity": 70}, delay=3.5))
    answer = await make_teacher(typical_seconds=3.5).answer("winter", "filter", PATIENT)
    assert answer.settings == Filter(name="winter", intensity=70)


async def test_three_tools_asked_together_are_with_the_teacher_at_once(
    server: OpenAIServer, make_teacher: MakeTeacher
) -> None:
    for tool in TOOLS:
        settings = EXAMPLE.settings(tool)
        assert settings is not None
        server.reply(tool, Say.settings(changed(settings)))
    teacher = make_teacher()
    server.gate.clear()
    asked = [asyncio.create_task(teacher.answer("golden hour", tool, PATIENT)) for tool in TOOLS]
    await until(lambda: server.most_at_once == 3)
    server.gate.set()
    answers = await asyncio.gather(*asked)
    assert [answer.settings for answer in answers] == [EXAMPLE.settings(tool) for tool in TOOLS]


@pytest.mark.parametrize(
    "text", ["{}", "TOOL: No. A greeting is no look.\nJSON: {}", "TOOL: No. A greeting is no look."]
)
async def test_an_empty_object_or_a_no_is_an_unused_tool(
    server: OpenAIServer, make_teacher: MakeTeacher, counted: Counted, text: str
) -> None:
    server.reply("filter", Say(text))
    assert (await make_teacher().answer("hello", "filter", PATIENT)).settings is None
    assert counted.outcome("ok") == 1


UNREADABLE = [
    (Say("Winter is a lovely season, I would go for something cold."), "invalid_json"),
    (Say(""), "invalid_json"),
    (Say(None), "invalid_json"),
    (Say('TOOL: Yes.\nJSON: {name: "winter"}'), "invalid_json"),
    (Say('TOOL: Yes.\nJSON: {"name": "winter", "inten'), "truncated"),
    (Say("TOOL: Yes. I would", finish_reason="length"), "truncated"),
    (Say('TOOL: Yes.\nJSON: {"name": "winter", "intensity": 170}'), "schema"),
    (Say('TOOL: Yes.\nJSON: {"name": "sepia", "intensity": 70}'), "schema"),
]


@pytest.mark.parametrize(("behaviour", "reason"), UNREADABLE)
async def test_an_unreadable_answer_is_paid_for_and_not_asked_for_again_and_the_server_is_not_blamed(
    server: OpenAIServer, make_teacher: MakeTeacher, counted: Counted, behaviour: Say, reason: str
) -> None:
    server.reply("filter", behaviour)
    teacher = make_teacher(retries=3, breaker_failures=1)
    assert await reason_of(teacher) == reason
    assert len(server.calls) == 1
    assert counted.outcome("unreadable") == 1
    assert counted("recolor_teacher_tokens_total", kind="completion") == 150
    assert teacher.ready


async def test_a_server_that_reports_no_usage_costs_nothing(
    server: OpenAIServer, make_teacher: MakeTeacher, counted: Counted
) -> None:
    server.reply("filter", Say(WINTER.text, usage=None))
    answer = await make_teacher().answer("winter", "filter", PATIENT)
    assert (answer.prompt_tokens, answer.completion_tokens) == (0, 0)
    assert counted("recolor_teacher_cost_dollars_total") == 0


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (Fail(429, retry_after="0.05"), "rate_limited"),
        (Fail(429), "rate_limited"),
        (Fail(500), "server_error"),
        (Fail(503, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"), "server_error"),
        (Drop(), "connection"),
        (Body(b"<html>Bad gateway</html>", "text/html"), "server_error"),
        (Body(b'{"choices": []}'), "server_error"),
        (Body(b'{"choices": [{"mess'), "server_error"),
        (Body(b"\xff\xfe\x00"), "server_error"),
    ],
)
async def test_a_passing_failure_is_tried_again(
    server: OpenAIServer, make_teacher: MakeTeacher, counted: Counted, behaviour: Fail | Drop | Body, outcome: str
) -> None:
    server.reply("filter", behaviour, WINTER)
    answer = await make_teacher(retries=1).answer("winter", "filter", PATIENT)
    assert answer.settings == Filter(name="winter", intensity=70)
    assert len(server.calls) == 2
    assert counted.outcome(outcome) == 1
    assert counted.outcome("ok") == 1


@pytest.mark.parametrize("behaviour", [Fail(500), Drop(), Fail(429, retry_after="0")])
async def test_the_number_of_tries_is_bounded(
    server: OpenAIServer, make_teacher: MakeTeacher, behaviour: Fail | Drop
) -> None:
    server.reply("filter", behaviour)
    assert await reason_of(make_teacher(retries=2)) == "teacher_error"
    assert len(server.calls) == 3


async def test_the_pause_that_the_server_asks_for_is_kept(server: OpenAIServer, make_teacher: MakeTeacher) -> None:
    server.reply("filter", Fail(429, retry_after="1"), WINTER)
    begun = time.perf_counter()
    await make_teacher().answer("winter", "filter", PATIENT)
    assert time.perf_counter() - begun >= 1


async def test_no_retry_is_begun_that_could_not_finish(server: OpenAIServer, make_teacher: MakeTeacher) -> None:
    server.reply("filter", Fail(429, retry_after="3600"))
    assert await reason_of(make_teacher(retries=5)) == "teacher_error"
    server.reply("filter", Fail(500, delay=1.2))
    assert await reason_of(make_teacher(retries=5, typical_seconds=PATIENT - 1)) == "teacher_error"
    assert len(server.calls) == 2


async def test_no_try_is_begun_when_less_than_the_typical_time_is_left(
    server: OpenAIServer, make_teacher: MakeTeacher, counted: Counted
) -> None:
    teacher = make_teacher(typical_seconds=3.5)
    assert await reason_of(teacher, seconds=3.4) == "timeout"
    assert await reason_of(teacher, seconds=0) == "timeout"
    assert await reason_of(teacher, seconds=-1) == "timeout"
    assert server.calls == []
    assert counted.outcome("no_time") == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_refusal_is_not_tried_again(
    server: OpenAIServer, make_teacher: MakeTeacher, counted: Counted, status: int
) -> None:
    server.reply("filter", Fail(status))
    assert await reason_of(make_teacher(retries=3)) == "teacher_error"
    assert len(server.calls) == 1
    assert counted.outcome("rejected") == 1


async def test_a_server_that_is_not_there_is_a_teacher_error(make_teacher: MakeTeacher, counted: Counted) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody else gets the port
        base_url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        assert await reason_of(make_teacher(base_url=base_url)) == "teacher_error"
    assert counted.outcome("connection") == 2


async def test_an_answer_that_takes_too_long_is_a_timeout_and_the_call_is_given_up(
    server: OpenAIServer, make_teacher: MakeTeacher, counted: Counted
) -> None:
    server.reply("filter", Say(WINTER.text, delay=2 * PATIENT))
    assert await reason_of(make_teacher(retries=3), seconds=4) == "timeout"
    assert len(server.calls) == 1
    assert counted.outcome("timeout") == 1
    assert await asyncio.to_thread(server.calls[0].abandoned.wait, PATIENT)


async def test_without_a_key_there_is_no_teacher() -> None:
    for settings in (Settings(teacher_api_key=None), Settings.model_validate({"teacher_api_key": ""})):
        teacher = Teacher(settings)
        assert not teacher.enabled
        assert not teacher.ready
        assert await reason_of(teacher) == "teacher_error"
        await teacher.close()


async def test_a_closed_teacher_is_off(server: OpenAIServer, make_teacher: MakeTeacher) -> None:
    teacher = make_teacher()
    assert teacher.enabled
    await teacher.close()
    await teacher.close()
    assert not teacher.enabled
    assert await reason_of(teacher) == "teacher_error"
    assert server.calls == []
