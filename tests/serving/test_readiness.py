import pytest

from app.grade import TOOLS
from app.serving import Recolorer, StudentInfo, TeacherInfo, Unavailable
from app.students import EngineError
from tests.serving.engines import Factory, ScriptedEngine
from tests.serving.helpers import ask, eventually, metric, recolorer_of
from tests.serving.teachers import LESSON, ScriptedTeacher, absent


async def kill(recolorer: Recolorer, engine: ScriptedEngine) -> None:
    engine.failures = [EngineError("broken")] * 3
    for i in range(3):
        try:
            await recolorer.recolor(ask(f"look {i}"))
        except Unavailable:
            assert not recolorer.readiness.teacher.ready
    await eventually(lambda: not recolorer.readiness.student.ready)


async def test_with_its_student_the_service_is_ready_and_says_who_answers() -> None:
    async with recolorer_of(ScriptedEngine(), teacher_model="gpt-test") as recolorer:
        readiness = recolorer.readiness
        assert (readiness.ready, readiness.degraded) == (True, False)
        assert readiness.student == StudentInfo("scripted@1", "compact", "constrained", ready=True)
        assert readiness.teacher == TeacherInfo("gpt-test", enabled=False, ready=False)
        assert metric("recolor_degraded") == 0


async def test_a_dead_student_with_a_working_teacher_is_ready_but_degraded() -> None:
    engine, teacher = ScriptedEngine(), ScriptedTeacher()
    async with recolorer_of(engine, teacher, factory=Factory([engine]), restart=60) as recolorer:
        await kill(recolorer, engine)
        assert (recolorer.readiness.ready, recolorer.readiness.degraded) == (True, True)
        assert metric("recolor_degraded") == 1
        assert (await recolorer.recolor(ask("dusk"))).tools == LESSON
        teacher.ready = False
        assert (recolorer.readiness.ready, recolorer.readiness.degraded) == (False, False)
        assert metric("recolor_degraded") == 0


async def test_without_student_and_teacher_the_service_is_not_ready_until_the_engine_is_back() -> None:
    old, new = ScriptedEngine(), ScriptedEngine()
    factory = Factory([old, new])
    async with recolorer_of(old, absent(), factory=factory) as recolorer:
        factory.gate.clear()
        await kill(recolorer, old)
        assert not recolorer.readiness.ready
        with pytest.raises(Unavailable) as refused:
            await recolorer.recolor(ask("dusk"))
        assert refused.value.failed == dict.fromkeys(TOOLS, "engine_error")
        factory.gate.set()
        await eventually(lambda: recolorer.readiness.ready)
        assert (await recolorer.recolor(ask("dusk"))).failed == {}


async def test_closing_lets_go_of_the_teacher() -> None:
    teacher = ScriptedTeacher()
    async with recolorer_of(ScriptedEngine(), teacher):
        pass
    assert teacher.closed
