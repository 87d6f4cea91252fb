"""Fresh answers: the teacher's, past cache and student, for a share of the requests and within a budget."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import structlog

from app.grade import TOOLS
from app.serving import BatchedStudent, MemoryCache, Recolorer
from app.serving.fresh import DAY_SECONDS, Budget, Fresh
from app.teacher import Teacher
from app.teacher.price import dollars, most_dollars
from tests.serving.engines import ScriptedEngine, look
from tests.serving.helpers import Counted, Kept, ask, recolorer_of, settings
from tests.serving.teachers import LESSON, ScriptedTeacher
from tests.teacher.openai_server import Fail, OpenAIServer, Say

ALWAYS = {"teacher_fresh_share": 1.0, "teacher_model": "gpt-test"}
MOST = sum(most_dollars(settings(), tool) for tool in TOOLS)
"""What a request for all tools may cost."""


@pytest.fixture
def _one_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not midnight."""
    monkeypatch.setattr("app.serving.fresh.DAY_SECONDS", 10**12)


one_day = pytest.mark.usefixtures("_one_day")


async def test_the_user_is_served_the_teachers_answer_past_the_student() -> None:
    engine, teacher, events = ScriptedEngine(), ScriptedTeacher(), Kept()
    counted = Counted(
        "recolor_tool_results_total", tool="filter", source="teacher", variant="control", model="gpt-test"
    )
    async with recolorer_of(engine, teacher, events=events, **ALWAYS) as recolorer:
        answer = await recolorer.recolor(ask("Dusk"))
    assert (answer.tools, answer.sources) == (LESSON, dict.fromkeys(TOOLS, "teacher"))
    assert (answer.variant, answer.model, answer.cached) == ("control", "gpt-test", False)
    assert engine.batches == []
    assert {(one.source, one.model, one.cached, one.reasoning) for one in events.serves[0].tools} == {
        ("teacher", "gpt-test", False, "because")
    }
    assert counted.growth == 1


async def test_a_fresh_answer_passes_the_cache_and_is_not_kept_in_it() -> None:
    cache, teacher = MemoryCache(100), ScriptedTeacher()
    async with recolorer_of(ScriptedEngine(), teacher, cache=cache) as recolorer:
        await recolorer.recolor(ask("dusk"))
    async with recolorer_of(ScriptedEngine(), teacher, cache=cache, **ALWAYS) as recolorer:
        for _ in range(2):
            assert (await recolorer.recolor(ask("dusk"))).tools == LESSON
    assert len(teacher.calls) == 6
    async with recolorer_of(ScriptedEngine(), teacher, cache=cache) as recolorer:
        answer = await recolorer.recolor(ask("dusk"))
    assert (answer.cached, set(answer.sources.values())) == (True, {"student"})


async def test_what_the_teacher_does_not_decide_the_student_does() -> None:
    teacher = ScriptedTeacher(refusals={"adjust": "timeout", "filter": "schema"})
    engine = ScriptedEngine()
    async with recolorer_of(engine, teacher, **ALWAYS) as recolorer:
        answer = await recolorer.recolor(ask("dusk"))
    assert answer.sources == {"adjust": "student", "selective_adjust": "teacher", "filter": "student"}
    assert answer.tools["adjust"] == look("dusk", "adjust")
    assert [[prompt.tool for prompt in batch] for batch in engine.batches] == [["adjust", "filter"]]


@pytest.mark.parametrize("teacher", [ScriptedTeacher(ready=False), ScriptedTeacher(enabled=False, ready=False)])
async def test_nobody_is_sent_to_a_teacher_that_rests_or_is_none(teacher: ScriptedTeacher) -> None:
    async with recolorer_of(ScriptedEngine(), teacher, **ALWAYS) as recolorer:
        answer = await recolorer.recolor(ask("dusk"))
    assert (answer.model, set(answer.sources.values()), teacher.calls) == ("scripted@1", {"student"}, [])


async def test_projects_of_an_experiment_get_no_fresh_answers() -> None:
    """Their variants would be compared with some of the teacher in each."""
    given = ALWAYS | {"experiment": "looks", "variants": "same:50=scripted@1"}
    async with recolorer_of(ScriptedEngine(), ScriptedTeacher(), **given) as recolorer:
        in_it = [await recolorer.recolor(replace(ask("dusk"), project_id=str(number))) for number in range(10)]
        outside = await recolorer.recolor(ask("dusk"))
    assert {answer.variant for answer in in_it} == {"control", "same"}
    assert {source for answer in in_it for source in answer.sources.values()} == {"student"}
    assert set(outside.sources.values()) == {"teacher"}


def fresh(chances: Iterator[float], **changes: Any) -> Fresh:
    given = settings(**ALWAYS | changes)
    return Fresh(BatchedStudent(ScriptedEngine, given), ScriptedTeacher(), given, lambda: next(chances))


async def test_as_many_requests_are_fresh_as_the_share_says() -> None:
    one = fresh(iter([0.0, 0.24, 0.25, 0.9]), teacher_fresh_share=0.25)
    assert [one.takes(ask("dusk")) for _ in range(4)] == [True, True, False, False]


async def test_only_a_request_that_may_be_is_fresh() -> None:
    one = fresh(iter([0.0]))
    assert [one.takes(replace(ask("dusk"), fresh=may)) for may in (False, True)] == [False, True]


@one_day
async def test_a_request_is_fresh_only_if_the_budget_has_room_for_all_its_tools() -> None:
    one = fresh(iter([0.0] * 3), teacher_fresh_dollars=MOST * 1.5)
    assert [one.takes(request) for request in (ask("dusk"), ask("dusk"), ask("dusk", "filter"))] == [True, False, True]


@one_day
async def test_the_budget_counts_what_the_answers_really_cost() -> None:
    """Tokens as in `ScriptedTeacher`: far fewer than are set aside."""
    paid = 3 * dollars(settings(), 100, 50)
    async with recolorer_of(
        ScriptedEngine(), ScriptedTeacher(), teacher_fresh_dollars=MOST + 2.5 * paid, **ALWAYS
    ) as one:
        answers = [await one.recolor(ask(f"look {number}")) for number in range(5)]
    assert [answer.model for answer in answers] == ["gpt-test"] * 3 + ["scripted@1"] * 2


@one_day
async def test_a_call_that_failed_counts_as_the_most_it_may_have_cost() -> None:
    teacher = ScriptedTeacher(refusals=dict.fromkeys(TOOLS, "teacher_error"))
    async with recolorer_of(ScriptedEngine(), teacher, teacher_fresh_dollars=MOST * 1.9, **ALWAYS) as one:
        answers = [await one.recolor(ask(f"look {number}")) for number in range(2)]
    assert [answer.model for answer in answers] == ["gpt-test", "scripted@1"]
    assert {source for answer in answers for source in answer.sources.values()} == {"student"}


@one_day
async def test_an_answer_of_a_server_that_counts_no_tokens_costs_the_most() -> None:
    teacher = ScriptedTeacher(tokens=(0, 0))
    async with recolorer_of(ScriptedEngine(), teacher, teacher_fresh_dollars=MOST * 1.9, **ALWAYS) as one:
        answers = [await one.recolor(ask(f"look {number}")) for number in range(2)]
    assert [answer.model for answer in answers] == ["gpt-test", "scripted@1"]


async def test_a_call_that_was_not_sent_costs_nothing() -> None:
    teacher = ScriptedTeacher(refusals=dict.fromkeys(TOOLS, "timeout"), asked=False)
    async with recolorer_of(ScriptedEngine(), teacher, teacher_fresh_dollars=MOST * 1.9, **ALWAYS) as one:
        answers = [await one.recolor(ask(f"look {number}")) for number in range(3)]
    assert [answer.model for answer in answers] == ["gpt-test"] * 3


def test_the_budget_is_that_of_a_day() -> None:
    now = [0.0]
    budget = Budget(1.0, lambda: now[0])
    assert [budget.reserve(0.6) for _ in range(2)] == [True, False]
    budget.give_back(0.5)
    assert [budget.reserve(0.6) for _ in range(2)] == [True, False]
    now[0] = DAY_SECONDS - 1
    assert not budget.reserve(0.6)
    now[0] = DAY_SECONDS
    assert [budget.reserve(0.6) for _ in range(2)] == [True, False]
    assert not Budget(0.0).reserve(0.001)


def test_that_the_budget_is_spent_is_said_once_a_day_and_so_is_that_it_is_back() -> None:
    now = [0.0]
    budget = Budget(1.0, lambda: now[0])
    with structlog.testing.capture_logs() as logs:
        for day in range(3):
            now[0] = day * DAY_SECONDS
            for _ in range(day * 3):
                budget.reserve(0.6)
                budget.give_back(0.1)
    assert [(line["log_level"], line["dollars"]) for line in logs] == [
        ("warning", 1.0),
        ("info", 1.0),
        ("warning", 1.0),
    ]
    assert "no room left" in logs[0]["event"]


@asynccontextmanager
async def started(server: OpenAIServer, **changes: Any) -> AsyncIterator[Recolorer]:
    """With the teacher that is deployed."""
    given = settings(
        **{
            "teacher_base_url": server.base_url,
            "teacher_api_key": server.key,
            "teacher_typical_seconds": 0.05,
            "teacher_retries": 0,
            **ALWAYS,
            **changes,
        }
    )
    recolorer = Recolorer(BatchedStudent(ScriptedEngine, given), Teacher(given), MemoryCache(100), given)
    await recolorer.start()
    try:
        yield recolorer
    finally:
        await recolorer.close()


@one_day
async def test_with_a_real_server_the_budget_ends_the_calls() -> None:
    """A call there costs 0.000675 dollars; a request with one tool sets more aside."""
    paid, spent = dollars(settings(), 900, 150), Counted("recolor_teacher_cost_dollars_total")
    room = most_dollars(settings(), "filter")
    assert paid < room
    with OpenAIServer() as server:
        server.reply("filter", Say.settings({"name": "winter", "intensity": 70}))
        async with started(server, teacher_fresh_dollars=room + 1.5 * paid) as recolorer:
            answers = [await recolorer.recolor(ask("dusk", "filter")) for _ in range(4)]
    assert [answer.sources["filter"] for answer in answers] == ["teacher", "teacher", "student", "student"]
    assert len(server.calls) == 2
    assert spent.growth == pytest.approx(2 * paid)


async def test_with_an_open_breaker_there_are_no_fresh_answers() -> None:
    with OpenAIServer() as server:
        server.reply("filter", Fail(500))
        async with started(server, teacher_breaker_failures=2) as recolorer:
            answers = [await recolorer.recolor(ask("dusk", "filter")) for _ in range(4)]
    assert [answer.model for answer in answers] == ["gpt-test", "gpt-test", "scripted@1", "scripted@1"]
    assert {answer.sources["filter"] for answer in answers} == {"student"}
    assert len(server.calls) == 2
