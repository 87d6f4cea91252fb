"""Requests of an experiment: answered by their project's variant, and told apart in everything that is said of them."""

import asyncio
import re
from dataclasses import replace

import pytest
import structlog

from app.grade import TOOLS
from app.main import build_recolorer
from app.serving import BatchedStudent, MemoryCache, Recolorer, RecolorRequest, StudentInfo, Unavailable
from app.serving.variant import read_experiment
from app.settings import Settings
from app.students import Answer, Engine, EngineError, Overloaded, load_engine
from tests.serving.engines import Factory, ScriptedEngine, look
from tests.serving.helpers import Counted, Kept, answered_late, ask, eventually, recolorer_of, settings
from tests.serving.teachers import LESSON, ScriptedTeacher, absent

EXPERIMENT = {"experiment": "looks", "variants": "bolder:30=bold@2,teacher:30=teacher", "teacher_model": "gpt-test"}


def project_of(variant: str, **changes: str) -> str:
    """Some project that gets a variant."""
    experiment = read_experiment(settings(**EXPERIMENT | changes))
    assert experiment
    return next(name for name in map(str, range(1000)) if experiment.variant_of(name) == variant)


def ask_as(variant: str, intent: str = "dusk", **changes: str) -> RecolorRequest:
    return replace(ask(intent), project_id=project_of(variant, **changes), request_id=f"{variant} {intent}")


def bold(**script: Answer) -> ScriptedEngine:
    return ScriptedEngine(model="bold@2", script={("dusk", tool): answer for tool, answer in script.items()})


async def test_every_project_is_answered_by_its_variant() -> None:
    engine, rival, teacher, events = ScriptedEngine(), bold(), ScriptedTeacher(), Kept()
    async with recolorer_of(engine, teacher, rivals=[rival], events=events, **EXPERIMENT) as recolorer:
        answers = {name: await recolorer.recolor(ask_as(name)) for name in ("control", "bolder", "teacher")}
        without = await recolorer.recolor(ask("dusk"))
    told = {name: (answer.variant, answer.model, answer.cached) for name, answer in answers.items()}
    assert told == {
        "control": ("control", "scripted@1", False),
        "bolder": ("bolder", "bold@2", False),
        "teacher": ("teacher", "gpt-test", False),
    }
    assert answers["teacher"].tools == LESSON
    assert answers["control"].tools == answers["bolder"].tools == {tool: look("dusk", tool) for tool in TOOLS}
    assert (len(engine.batches), len(rival.batches), len(teacher.calls)) == (1, 1, 3)
    assert (without.variant, without.cached) == ("control", True)
    logged = [(one.variant, one.experiment, {tool.model for tool in one.tools}) for one in events.serves]
    assert logged == [
        ("control", "looks", {"scripted@1"}),
        ("bolder", "looks", {"bold@2"}),
        ("teacher", "looks", {"gpt-test"}),
        ("control", "", {"scripted@1"}),
    ]
    assert {tool.reasoning for tool in events.serves[2].tools} == {"because"}


async def test_results_are_counted_by_variant_and_model() -> None:
    labels = {
        name: {"tool": "filter", "source": source, "variant": name, "model": model}
        for name, source, model in (("bolder", "student", "bold@2"), ("teacher", "teacher", "gpt-test"))
    }
    counts = {name: Counted("recolor_tool_results_total", **given) for name, given in labels.items()}
    async with recolorer_of(ScriptedEngine(), ScriptedTeacher(), rivals=[bold()], **EXPERIMENT) as recolorer:
        for name in counts:
            await recolorer.recolor(ask_as(name))
    assert {name: count.growth for name, count in counts.items()} == {"bolder": 1, "teacher": 1}


async def test_each_variant_has_its_own_answers_in_the_cache() -> None:
    teacher = ScriptedTeacher()
    async with recolorer_of(ScriptedEngine(), teacher, rivals=[bold()], **EXPERIMENT) as recolorer:
        for name in ("teacher", "bolder", "control"):
            assert not (await recolorer.recolor(ask_as(name))).cached
            assert (await recolorer.recolor(ask_as(name))).cached
    assert len(teacher.calls) == 3


async def test_a_variant_of_the_same_student_shares_its_cache() -> None:
    """A/A: what one variant has paid for answers the other, and any difference is chance."""
    same = {"variants": "same:50=scripted@1"}
    engine = ScriptedEngine()
    async with recolorer_of(engine, **EXPERIMENT | same) as recolorer:
        first = await recolorer.recolor(ask_as("control", **same))
        again = await recolorer.recolor(ask_as("same", **same))
    assert (first.variant, again.variant, again.cached) == ("control", "same", True)
    assert len(engine.batches) == 1


async def test_a_tool_that_the_teacher_of_a_variant_fails_is_the_students_for_once() -> None:
    teacher = ScriptedTeacher(refusals={"filter": "teacher_error"})
    async with recolorer_of(ScriptedEngine(), teacher, rivals=[bold()], **EXPERIMENT) as recolorer:
        answer = await recolorer.recolor(ask_as("teacher"))
        teacher.refusals.clear()
        mended = await recolorer.recolor(ask_as("teacher"))
    assert answer.sources == {"adjust": "teacher", "selective_adjust": "teacher", "filter": "student"}
    assert (answer.tools, answer.failed) == ({**LESSON, "filter": look("dusk", "filter")}, {})
    assert (mended.tools, set(mended.sources.values())) == (LESSON, {"teacher"})
    assert teacher.calls[3:] == [("dusk", "filter")], "the student's answer was not kept as the teacher's"


async def test_a_teacher_that_is_late_leaves_the_student_its_time() -> None:
    teacher = ScriptedTeacher()
    given = EXPERIMENT | {"deadline_seconds": 30, "student_seconds": 29.4, "teacher_typical_seconds": 0.1}
    async with recolorer_of(ScriptedEngine(), teacher, rivals=[bold()], **given) as recolorer:
        teacher.gate.clear()
        answer = await recolorer.recolor(ask_as("teacher"))
    assert set(answer.sources.values()) == {"student"}
    assert list(answer.timings_ms) == ["total", "teacher", "queue", "generate"]
    assert all(timeout <= 0.6 for timeout in teacher.timeouts)


async def test_a_teacher_that_refuses_at_once_leaves_the_student_all_the_time() -> None:
    teacher, engine = ScriptedTeacher(refusals=dict.fromkeys(TOOLS, "teacher_error")), ScriptedEngine()
    given = EXPERIMENT | {"deadline_seconds": 60, "student_seconds": 0.02}
    async with recolorer_of(engine, teacher, rivals=[bold()], **given) as recolorer:
        answer = await answered_late(recolorer, engine, ask_as("teacher"))
    assert set(answer.sources.values()) == {"student"}


async def test_what_the_teacher_has_decided_is_served_though_the_students_queue_is_full() -> None:
    teacher = ScriptedTeacher(refusals={"filter": "teacher_error"})
    engine = ScriptedEngine()
    async with recolorer_of(engine, teacher, rivals=[bold()], **EXPERIMENT) as recolorer:

        async def full(prompts: object) -> None:
            raise Overloaded(1)

        recolorer._students[0].generate = full  # type: ignore[method-assign,assignment]
        answer = await recolorer.recolor(ask_as("teacher"))
    assert set(answer.sources) == {"adjust", "selective_adjust"}
    assert answer.failed == {"filter": "teacher_error"}


async def test_where_both_fail_it_is_for_the_teachers_reason() -> None:
    unreadable = ScriptedEngine(script={("dusk", tool): Answer(None) for tool in TOOLS})
    teacher = ScriptedTeacher(refusals=dict.fromkeys(TOOLS, "teacher_error"))
    async with recolorer_of(unreadable, teacher, rivals=[bold()], **EXPERIMENT) as recolorer:
        with pytest.raises(Unavailable) as refused:
            await recolorer.recolor(ask_as("teacher"))
    assert refused.value.failed == dict.fromkeys(TOOLS, "teacher_error")
    assert (refused.value.variant, refused.value.model) == ("teacher", "gpt-test")


async def kill(recolorer: Recolorer, rival: ScriptedEngine) -> None:
    rival.failures = [EngineError("gone")] * 100
    for number in range(3):
        with pytest.raises(Unavailable):
            await recolorer.recolor(ask_as("bolder", f"deadly {number}", variants="bolder:30=bold@2"))
    await eventually(lambda: not recolorer.readiness.rivals[0].ready)


async def test_a_variant_that_is_dead_leaves_its_projects_to_the_control() -> None:
    rival, events = bold(), Kept()
    one = {"variants": "bolder:30=bold@2"}
    async with recolorer_of(ScriptedEngine(), rivals=[rival], events=events, **EXPERIMENT | one) as recolorer:
        await kill(recolorer, rival)
        answer = await recolorer.recolor(ask_as("bolder", **one))
        readiness = recolorer.readiness
    assert (answer.variant, answer.model) == ("control", "scripted@1")
    assert (events.serves[-1].variant, events.serves[-1].experiment) == ("control", "looks")
    assert (readiness.ready, readiness.degraded, readiness.rivals[0].ready) == (True, False, False)


async def test_what_several_students_wait_for_is_one_depth() -> None:
    engine, rival = ScriptedEngine(), bold()
    depth = Counted("recolor_queue_depth")
    async with recolorer_of(engine, ScriptedTeacher(), rivals=[rival], **EXPERIMENT) as recolorer:
        asked = []
        for one, name in ((engine, "control"), (rival, "bolder")):
            one.gate.clear()
            asked.append(asyncio.create_task(recolorer.recolor(ask_as(name, "running"))))
            await eventually(lambda one=one: len(one.batches) == 1)
            asked.append(asyncio.create_task(recolorer.recolor(ask_as(name, "waiting"))))
        await eventually(lambda: depth.growth == 6)
        engine.gate.set()
        await eventually(lambda: depth.growth == 3)
        rival.gate.set()
        await asyncio.gather(*asked)
    assert depth.growth == 0


@pytest.mark.parametrize(
    ("teacher", "changes", "said"),
    [
        (ScriptedTeacher(enabled=False), {}, "RECOLOR_TEACHER_API_KEY"),
        (ScriptedTeacher(), {"deadline_seconds": 5}, "RECOLOR_DEADLINE_SECONDS leaves no time"),
    ],
)
def test_a_teacher_that_cannot_be_a_variant_is_refused(
    teacher: ScriptedTeacher, changes: dict[str, float], said: str
) -> None:
    chosen = Settings(**EXPERIMENT | {"variants": "teacher:30=teacher"} | changes)
    with pytest.raises(ValueError, match=said):
        Recolorer(ScriptedEngine(), teacher, None, chosen)


@pytest.mark.parametrize("teacher", [absent(), ScriptedTeacher()])
async def test_a_variant_that_cannot_start_is_the_controls_until_it_can(
    teacher: ScriptedTeacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where there is a teacher: nobody knows yet how the student writes, by which answers are kept."""
    monkeypatch.setattr("app.serving.recolorer.FIRST_PAUSE_SECONDS", 0.05)
    one = {"variants": "bolder:30=bold@2"}
    given = settings(**EXPERIMENT | one)
    rivals = Factory([bold()], [OSError("the disk is gone"), EngineError("cold")])
    student = BatchedStudent(ScriptedEngine, given)
    rival = BatchedStudent(rivals, given.model_copy(update={"model": "bold@2"}))
    recolorer = Recolorer(student, teacher, MemoryCache(100), given, rivals={"bold@2": rival})
    with structlog.testing.capture_logs() as logs:
        await recolorer.start()
        rivals.gate.clear()
        readiness = recolorer.readiness
        answer = await recolorer.recolor(ask_as("bolder", **one))
        rivals.gate.set()
        await eventually(lambda: rival.ready)
    mended = await recolorer.recolor(ask_as("bolder", **one))
    await recolorer.close()
    assert (readiness.ready, readiness.degraded) == (True, False)
    assert readiness.rivals == [StudentInfo("bold@2", None, None, ready=False)]
    assert [(one.variant, one.model) for one in (answer, mended)] == [("control", "scripted@1"), ("bolder", "bold@2")]
    assert (logs[0]["log_level"], logs[0]["model"], str(logs[0]["exc_info"])) == ("error", "bold@2", "the disk is gone")
    assert rivals.loads == 3


async def test_a_student_that_is_not_in_the_store_is_named() -> None:
    def load(given: Settings) -> Engine:
        return ScriptedEngine() if given.model == "scripted@1" else load_engine(given)

    recolorer = build_recolorer(settings(**EXPERIMENT | {"variants": "bolder:30=no-such@2"}), load)
    with structlog.testing.capture_logs() as logs:
        await recolorer.start()
        await recolorer.close()
    assert re.match(r"there is no student no-such@2 in .*recolor-mini@1", str(logs[0]["exc_info"]), re.DOTALL)


async def test_a_control_that_cannot_start_is_no_service() -> None:
    broken = ScriptedEngine(failures=[EngineError("cold")])
    with pytest.raises(EngineError, match="scripted@1: cold"):
        async with recolorer_of(broken, ScriptedTeacher(), rivals=[bold()], **EXPERIMENT):
            pass
