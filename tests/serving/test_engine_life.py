import asyncio
import threading

import pytest

from app.grade import TOOLS
from app.serving import BatchedStudent
from app.students import EngineError, Prompt
from tests.serving.engines import Factory, ScriptedEngine
from tests.serving.helpers import eventually, metric, settings, student_of

DUSK = [Prompt("dusk", tool) for tool in TOOLS]


async def die(student: BatchedStudent, engine: ScriptedEngine) -> None:
    """Three failed batches in a row."""
    engine.failures = [EngineError("broken")] * 3
    for _ in range(3):
        with pytest.raises(EngineError, match="broken"):
            await student.generate(DUSK)


async def test_starting_loads_off_the_event_loop_and_warms_up_with_every_tool() -> None:
    engine, loaded_on = ScriptedEngine(), []

    def factory() -> ScriptedEngine:
        loaded_on.append(threading.get_ident())
        return engine

    student = BatchedStudent(factory, settings())
    assert not student.ready
    await student.start()
    assert student.ready
    assert [prompt.tool for prompt in engine.batches[0]] == list(TOOLS)
    assert set(loaded_on) == engine.threads != {threading.get_ident()}
    assert (student.model, student.codec.name, student.decoding) == ("scripted@1", "compact", "constrained")
    await student.close()


async def test_a_model_that_cannot_be_loaded_is_said_as_the_store_says_it() -> None:
    student = BatchedStudent(Factory([], [FileNotFoundError("model.safetensors is missing")]), settings())
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors is missing"):
        await student.start()
    assert not student.ready
    await student.close()


async def test_an_engine_that_fails_its_warm_up_does_not_start() -> None:
    student = BatchedStudent(lambda: ScriptedEngine(failures=[EngineError("cold")]), settings())
    with pytest.raises(EngineError, match="cold"):
        await student.start()
    assert not student.ready


async def test_calls_before_the_start_fail_at_once() -> None:
    with pytest.raises(EngineError):
        await BatchedStudent(ScriptedEngine, settings()).generate(DUSK)


async def test_failures_with_successes_between_do_not_kill_the_engine() -> None:
    engine = ScriptedEngine()
    factory = Factory([engine])
    async with student_of(engine, factory=factory) as student:
        for _ in range(5):
            engine.failures = [EngineError("now and then")]
            with pytest.raises(EngineError):
                await student.generate(DUSK)
            await student.generate(DUSK)
        assert student.ready
    assert factory.loads == 1


async def test_a_dead_engine_is_loaded_anew_with_pauses_until_it_works() -> None:
    old, new = ScriptedEngine(), ScriptedEngine()
    broken = ScriptedEngine(failures=[EngineError("still broken")])
    factory = Factory([old, broken, new])
    async with student_of(old, factory=factory) as student:
        factory.failures = [OSError("the disk is gone")]
        await die(student, old)
        await eventually(lambda: student.ready)
        assert factory.loads == 4
        old.batches.clear()
        assert len((await student.generate(DUSK)).answers) == 3
        assert new.batches[-1] == DUSK
        assert old.batches == []
        assert metric("recolor_engine_ready", model="scripted@1") == 1


async def test_while_the_engine_is_dead_calls_fail_at_once() -> None:
    engine = ScriptedEngine()
    async with student_of(engine, factory=Factory([engine]), restart=60) as student:
        await die(student, engine)
        await eventually(lambda: not student.ready)
        assert metric("recolor_engine_ready", model="scripted@1") == 0
        with pytest.raises(EngineError, match="not running"):
            await student.generate(DUSK)


async def test_what_waits_when_the_engine_dies_fails_and_is_not_kept_waiting() -> None:
    engine = ScriptedEngine()
    async with student_of(engine, factory=Factory([engine]), restart=60, max_batch=3) as student:
        engine.gate.clear()
        engine.failures = [EngineError("broken")] * 3
        calls = [asyncio.create_task(student.generate(DUSK)) for _ in range(5)]
        await eventually(lambda: metric("recolor_queue_depth") == 12)
        engine.gate.set()
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error) for error in errors] == [EngineError] * 5
        assert metric("recolor_queue_depth") == 0
    assert len(engine.batches) == 3


async def test_a_batch_that_never_ends_counts_as_death() -> None:
    stuck, new = ScriptedEngine(), ScriptedEngine()
    student = BatchedStudent(Factory([stuck, new]), settings(), restart_seconds=0.01, stalled_seconds=1.0)
    await student.start()
    stuck.gate.clear()
    with pytest.raises(EngineError, match="no answer within"):
        await student.generate(DUSK)
    student._stalled_seconds = 60.0  # the machine may be busy: the new one may take its time
    await eventually(lambda: student.ready)
    assert len((await student.generate(DUSK)).answers) == 3
    assert new.batches[-1] == DUSK
    stuck.gate.set()
    await student.close()


async def test_closing_while_the_engine_is_dead_ends_the_loading() -> None:
    engine = ScriptedEngine()
    factory = Factory([engine])
    student = BatchedStudent(factory, settings(), restart_seconds=60)
    await student.start()
    await die(student, engine)
    await student.close()
    assert factory.loads == 1
