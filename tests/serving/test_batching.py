import asyncio
import threading

import pytest

from app.grade import TOOLS
from app.serving import BatchedStudent, Overloaded
from app.students import Answer, EngineError, Prompt
from tests.serving.engines import TOKENS, ScriptedEngine, look
from tests.serving.helpers import Counted, eventually, metric, settings, student_of


def three(intent: str) -> list[Prompt]:
    return [Prompt(intent, tool) for tool in TOOLS]


async def test_three_prompts_of_a_lone_request_go_as_one_batch_at_once() -> None:
    engine = ScriptedEngine()
    async with student_of(engine) as student:
        generation = await student.generate(three("dusk"))
    assert engine.batches == [three("dusk")]
    decoded = [
        engine.codec.decode(tool, answer.text or "") for tool, answer in zip(TOOLS, generation.answers, strict=True)
    ]
    assert decoded == [look("dusk", tool) for tool in TOOLS]


async def test_what_comes_while_the_engine_works_is_its_next_batch() -> None:
    engine = ScriptedEngine()
    async with student_of(engine) as student:
        engine.gate.clear()
        first = asyncio.create_task(student.generate(three("first")))
        await eventually(lambda: len(engine.batches) == 1)
        later = [asyncio.create_task(student.generate(three(f"later {i}"))) for i in range(4)]
        await eventually(lambda: metric("recolor_queue_depth") == 12)
        engine.gate.set()
        await asyncio.gather(first, *later)
    assert [len(batch) for batch in engine.batches] == [3, 12]


async def test_a_batch_is_never_larger_than_allowed_and_calls_may_span_batches() -> None:
    engine = ScriptedEngine()
    async with student_of(engine, max_batch=4) as student:
        generations = await asyncio.gather(*(student.generate(three(f"look {i}")) for i in range(5)))
    assert max(len(batch) for batch in engine.batches) == 4
    assert sum(len(batch) for batch in engine.batches) == 15
    for i, generation in enumerate(generations):
        texts = [answer.text for answer in generation.answers]
        assert texts == [engine.codec.encode(tool, look(f"look {i}", tool)) for tool in TOOLS]


async def test_all_of_the_engine_runs_on_one_thread_that_is_not_the_event_loops() -> None:
    engine = ScriptedEngine()
    async with student_of(engine) as student:
        for i in range(5):
            await student.generate(three(f"look {i}"))
    assert len(engine.threads) == 1
    assert threading.get_ident() not in engine.threads


async def test_a_full_queue_refuses_further_calls_and_takes_them_again_when_it_has_room() -> None:
    engine = ScriptedEngine()
    async with student_of(engine, max_queue=6) as student:
        engine.gate.clear()
        running = asyncio.create_task(student.generate(three("running")))
        await eventually(lambda: len(engine.batches) == 1)
        waiting = [asyncio.create_task(student.generate(three(f"waiting {i}"))) for i in range(2)]
        await eventually(lambda: metric("recolor_queue_depth") == 6)
        with pytest.raises(Overloaded) as refused:
            await student.generate(three("too much"))
        assert refused.value.retry_after >= 1
        engine.gate.set()
        await asyncio.gather(running, *waiting)
        assert len((await student.generate(three("fits"))).answers) == 3


async def test_a_call_longer_than_the_whole_queue_is_answered_when_it_is_alone() -> None:
    async with student_of(ScriptedEngine(), max_queue=1, max_batch=1) as student:
        assert len((await student.generate(three("dusk"))).answers) == 3


async def test_a_call_cancelled_while_it_waits_is_never_generated_and_leaves_room() -> None:
    engine = ScriptedEngine()
    async with student_of(engine, max_queue=3) as student:
        engine.gate.clear()
        running = asyncio.create_task(student.generate(three("running")))
        await eventually(lambda: len(engine.batches) == 1)
        for i in range(20):
            given_up = asyncio.create_task(student.generate(three(f"given up {i}")))
            await eventually(lambda: metric("recolor_queue_depth") == 3)
            given_up.cancel()
            with pytest.raises(asyncio.CancelledError):
                await given_up
        assert metric("recolor_queue_depth") == 0
        last = asyncio.create_task(student.generate(three("last")))
        await eventually(lambda: metric("recolor_queue_depth") == 3)
        engine.gate.set()
        await asyncio.gather(running, last)
    assert engine.batches == [three("running"), three("last")]


async def test_a_call_cancelled_while_it_is_generated_does_not_disturb_its_batch() -> None:
    engine = ScriptedEngine()
    async with student_of(engine) as student:
        engine.gate.clear()
        stays = asyncio.create_task(student.generate(three("stays")))
        goes = asyncio.create_task(student.generate(three("goes")))
        await eventually(lambda: len(engine.batches) == 1)
        goes.cancel()
        engine.gate.set()
        assert len((await stays).answers) == 3
        with pytest.raises(asyncio.CancelledError):
            await goes
    assert engine.batches == [three("stays") + three("goes")]


async def test_a_failing_batch_fails_its_calls_only() -> None:
    engine = ScriptedEngine()
    async with student_of(engine) as student:
        engine.failures = [EngineError("out of memory"), ValueError("a bug in the engine")]
        for reason in ("out of memory", "a bug in the engine"):
            with pytest.raises(EngineError, match=reason):
                await student.generate(three("unlucky"))
        assert student.ready
        assert len((await student.generate(three("lucky"))).answers) == 3


async def test_a_call_that_failed_in_one_batch_costs_no_further_one() -> None:
    engine = ScriptedEngine()
    async with student_of(engine, max_batch=2) as student:
        engine.failures = [EngineError("out of memory")]
        with pytest.raises(EngineError):
            await student.generate(three("unlucky"))
        await student.generate(three("lucky")[:1])
    assert engine.batches == [three("unlucky")[:2], three("lucky")[:1]]


async def test_an_engine_that_answers_too_little_is_an_engine_error() -> None:
    class Forgetful(ScriptedEngine):
        def generate(self, prompts: object) -> list[Answer]:
            answers = super().generate(prompts)
            return answers[:-1] if prompts[0].intent == "long" else answers

    async with student_of(Forgetful()) as student:
        with pytest.raises(EngineError, match="2 answers to 3 prompts"):
            await student.generate(three("long"))


async def test_metrics_tell_batches_tokens_and_stages() -> None:
    batches, prompts = Counted("recolor_batch_size_count"), Counted("recolor_batch_size_sum")
    tokens = Counted("recolor_generated_tokens_total", model="scripted@1")
    stages = [
        Counted("recolor_stage_duration_seconds_count", stage=stage, model="scripted@1")
        for stage in ("queue", "generate")
    ]
    async with student_of(ScriptedEngine()) as student:
        assert metric("recolor_engine_ready", model="scripted@1") == 1
        generation = await student.generate(three("dusk"))
    assert (batches.growth, prompts.growth) == (1, 3)
    assert tokens.growth == 3 * TOKENS
    assert [stage.growth for stage in stages] == [1, 1]
    assert generation.queued >= 0
    assert generation.generating > 0
    assert metric("recolor_engine_ready", model="scripted@1") == 0


async def test_closing_finishes_what_is_queued_and_takes_nothing_new() -> None:
    engine = ScriptedEngine()
    student = BatchedStudent(lambda: engine, settings(max_batch=3))
    await student.start()
    engine.gate.clear()
    calls = [asyncio.create_task(student.generate(three(f"look {i}"))) for i in range(3)]
    await eventually(lambda: metric("recolor_queue_depth") == 6)
    closing = asyncio.create_task(student.close())
    await asyncio.sleep(0.01)
    assert not closing.done()
    with pytest.raises(EngineError):
        await student.generate(three("late"))
    engine.gate.set()
    await closing
    assert [len(generation.answers) for generation in await asyncio.gather(*calls)] == [3, 3, 3]


async def test_closing_does_not_wait_for_ever() -> None:
    engine = ScriptedEngine()
    student = BatchedStudent(lambda: engine, settings())
    await student.start()
    engine.gate.clear()
    stuck = asyncio.create_task(student.generate(three("stuck")))
    await eventually(lambda: len(engine.batches) == 2)
    await student.close(0.01)
    with pytest.raises(EngineError, match="closed"):
        await stuck
    engine.gate.set()
