import asyncio

import pytest

from app.grade import TOOLS
from app.serving import Unavailable
from app.students import Answer, EngineError
from tests.serving.engines import ScriptedEngine, look
from tests.serving.helpers import Counted, answered_late, ask, eventually, recolorer_of
from tests.serving.teachers import LESSON, ScriptedTeacher, absent

UNREADABLE = Answer(None)


def weak(*tools: str) -> ScriptedEngine:
    """A student that writes nonsense for these tools of "dusk"."""
    return ScriptedEngine(script={("dusk", tool): Answer("nonsense") for tool in tools})


async def test_only_the_failed_tool_goes_to_the_teacher() -> None:
    teacher = ScriptedTeacher()
    async with recolorer_of(weak("filter"), teacher) as recolorer:
        answer = await recolorer.recolor(ask("Dusk"))
    assert teacher.calls == [("dusk", "filter")]
    assert answer.tools == {**{tool: look("dusk", tool) for tool in TOOLS}, "filter": LESSON["filter"]}
    assert answer.sources == {"adjust": "student", "selective_adjust": "student", "filter": "teacher"}
    assert answer.failed == {}
    assert list(answer.timings_ms) == ["total", "queue", "generate", "teacher"]


async def test_a_teachers_no_is_a_decision() -> None:
    class Refraining(ScriptedTeacher):
        async def answer(self, intent: str, tool: str, timeout: float):  # noqa: ASYNC109
            answer = await super().answer(intent, tool, timeout)
            return type(answer)(None, "not needed", 1, 1)

    async with recolorer_of(weak("filter"), Refraining()) as recolorer:
        answer = await recolorer.recolor(ask("dusk", "filter"))
    assert (answer.tools, answer.sources, answer.failed) == ({"filter": None}, {"filter": "teacher"}, {})


async def test_several_failed_tools_are_asked_at_once() -> None:
    teacher = ScriptedTeacher()
    async with recolorer_of(weak(*TOOLS), teacher) as recolorer:
        teacher.gate.clear()
        request = asyncio.create_task(recolorer.recolor(ask("dusk")))
        await eventually(lambda: teacher.busy == 3)
        teacher.gate.set()
        answer = await request
    assert answer.tools == LESSON
    assert set(answer.sources.values()) == {"teacher"}


async def test_what_the_teacher_decided_is_kept_with_its_source() -> None:
    teacher = ScriptedTeacher()
    async with recolorer_of(weak("filter"), teacher) as recolorer:
        first = await recolorer.recolor(ask("dusk"))
        again = await recolorer.recolor(ask("dusk"))
    assert again.cached
    assert (again.tools, again.sources) == (first.tools, first.sources)
    assert len(teacher.calls) == 1


async def test_the_teacher_reads_what_the_student_cannot() -> None:
    engine = ScriptedEngine(script={("日暮れ", tool): UNREADABLE for tool in TOOLS})
    async with recolorer_of(engine, ScriptedTeacher()) as recolorer:
        answer = await recolorer.recolor(ask("日暮れ"))
    assert (answer.tools, answer.failed) == (LESSON, {})


@pytest.mark.parametrize("reason", ["teacher_error", "timeout", "invalid_json", "schema", "truncated"])
async def test_when_the_teacher_fails_too_its_reason_stands_and_the_other_tools_do_not_suffer(reason: str) -> None:
    teacher = ScriptedTeacher(refusals={"adjust": reason})
    fallbacks = Counted("recolor_fallbacks_total", tool="adjust", reason="low_confidence", model="scripted@1")
    engine = weak("filter")
    engine.script["dusk", "adjust"] = UNREADABLE
    async with recolorer_of(engine, teacher) as recolorer:
        answer = await recolorer.recolor(ask("dusk"))
        assert answer.failed == {"adjust": reason}
        assert answer.tools == {
            "adjust": None,
            "selective_adjust": look("dusk", "selective_adjust"),
            "filter": LESSON["filter"],
        }
        assert answer.sources == {"selective_adjust": "student", "filter": "teacher"}
        teacher.refusals.clear()
        again = await recolorer.recolor(ask("dusk"))
    assert again.tools["adjust"] == LESSON["adjust"]
    assert fallbacks.growth == 2


async def test_without_a_teacher_the_students_reason_stands() -> None:
    teacher = absent()
    async with recolorer_of(weak("filter"), teacher) as recolorer:
        answer = await recolorer.recolor(ask("dusk"))
    assert answer.failed == {"filter": "schema"}
    assert teacher.calls == []


async def test_when_nobody_can_answer_the_service_is_unavailable() -> None:
    teacher = ScriptedTeacher(refusals=dict.fromkeys(TOOLS, "teacher_error"))
    async with recolorer_of(weak(*TOOLS), teacher) as recolorer:
        with pytest.raises(Unavailable) as refused:
            await recolorer.recolor(ask("dusk"))
    assert refused.value.failed == dict.fromkeys(TOOLS, "teacher_error")


@pytest.mark.parametrize(
    "teacher",
    [
        ScriptedTeacher(refusals={"adjust": "timeout"}),
        ScriptedTeacher(refusals={"adjust": "teacher_error"}, ready=False),  # its breaker is open
    ],
)
async def test_a_text_that_the_student_cannot_read_may_succeed_later_when_the_teacher_only_failed(
    teacher: ScriptedTeacher,
) -> None:
    engine = ScriptedEngine(script={("日暮れ", "adjust"): UNREADABLE})
    async with recolorer_of(engine, teacher) as recolorer:
        with pytest.raises(Unavailable):
            await recolorer.recolor(ask("日暮れ", "adjust"))


async def test_of_a_student_slower_than_its_share_the_teacher_gets_what_it_left_of_the_deadline() -> None:
    engine, teacher = ScriptedEngine(), ScriptedTeacher()
    fallbacks = Counted("recolor_fallbacks_total", tool="adjust", reason="timeout", model="scripted@1")
    async with recolorer_of(engine, teacher, deadline_seconds=100, student_seconds=0.2) as recolorer:
        engine.gate.clear()
        answer = await recolorer.recolor(ask("dusk"))
    assert set(answer.sources.values()) == {"teacher"}
    assert all(20 < timeout <= 99.8 for timeout in teacher.timeouts)
    assert fallbacks.growth == 1


@pytest.mark.parametrize(
    ("teacher", "typical"),
    [
        pytest.param(absent(), 3.5, id="no teacher"),
        pytest.param(ScriptedTeacher(ready=False), 3.5, id="its breaker is open"),
        pytest.param(ScriptedTeacher(), 100, id="it needs more than the student would leave"),
    ],
)
async def test_where_no_teacher_can_use_the_rest_a_student_slower_than_its_share_is_waited_for(
    teacher: ScriptedTeacher, typical: float
) -> None:
    engine = ScriptedEngine()
    given = {"deadline_seconds": 60, "student_seconds": 0.02, "teacher_typical_seconds": typical}
    async with recolorer_of(engine, teacher, **given) as recolorer:
        answer = await answered_late(recolorer, engine, ask("dusk"))
    assert set(answer.sources.values()) == {"student"}
    assert teacher.calls == []


async def test_a_teacher_that_does_not_answer_in_time_fails_only_its_tool() -> None:
    teacher = ScriptedTeacher()
    teacher.gate.clear()
    async with recolorer_of(weak("filter"), teacher, deadline_seconds=4) as recolorer:
        answer = await recolorer.recolor(ask("dusk"))
    assert answer.failed == {"filter": "timeout"}
    assert set(answer.sources) == {"adjust", "selective_adjust"}


async def test_a_failing_engine_leaves_everything_to_the_teacher() -> None:
    engine, teacher = ScriptedEngine(), ScriptedTeacher()
    fallbacks = Counted("recolor_fallbacks_total", tool="adjust", reason="engine_error", model="scripted@1")
    async with recolorer_of(engine, teacher) as recolorer:
        engine.failures = [EngineError("broken")]
        answer = await recolorer.recolor(ask("dusk"))
    assert answer.tools == LESSON
    assert fallbacks.growth == 1


async def test_identical_intents_in_flight_share_the_teachers_call_and_have_the_students_part_at_once() -> None:
    engine, teacher = weak("filter"), ScriptedTeacher()
    async with recolorer_of(engine, teacher) as recolorer:
        teacher.gate.clear()
        requests = [asyncio.create_task(recolorer.recolor(ask("dusk"))) for _ in range(3)]
        await eventually(lambda: teacher.busy == 1)
        requests.append(asyncio.create_task(recolorer.recolor(ask("dusk", "filter"))))
        decided = await recolorer.recolor(ask("dusk", "adjust"))
        assert decided.cached
        teacher.gate.set()
        answers = await asyncio.gather(*requests)
    assert teacher.calls == [("dusk", "filter")]
    assert len(engine.batches) == 1
    assert all(answer.sources["filter"] == "teacher" for answer in answers)


async def test_the_last_request_to_go_away_cancels_the_teachers_call() -> None:
    teacher = ScriptedTeacher()
    async with recolorer_of(weak("filter"), teacher) as recolorer:
        teacher.gate.clear()
        requests = [asyncio.create_task(recolorer.recolor(ask("dusk"))) for _ in range(2)]
        await eventually(lambda: teacher.busy == 1)
        requests[0].cancel()
        await asyncio.gather(requests[0], return_exceptions=True)
        assert teacher.cancelled == 0
        requests[1].cancel()
        await eventually(lambda: teacher.cancelled == 1)


async def test_closing_finishes_the_teachers_calls_before_it_lets_go_of_the_teacher() -> None:
    teacher = ScriptedTeacher()
    async with recolorer_of(weak("filter"), teacher) as recolorer:
        teacher.gate.clear()
        request = asyncio.create_task(recolorer.recolor(ask("dusk")))
        await eventually(lambda: teacher.busy == 1)
        closing = asyncio.create_task(recolorer.close())
        await asyncio.sleep(0.01)
        assert not teacher.closed
        teacher.gate.set()
        await closing
        assert (await request).sources["filter"] == "teacher"


async def test_teacher_results_are_counted() -> None:
    results = Counted(
        "recolor_tool_results_total", tool="filter", source="teacher", variant="control", model="scripted@1"
    )
    calls = Counted("recolor_stage_duration_seconds_count", stage="teacher", model="scripted@1")
    async with recolorer_of(weak("filter"), ScriptedTeacher()) as recolorer:
        await recolorer.recolor(ask("dusk"))
    assert (results.growth, calls.growth) == (1, 1)
