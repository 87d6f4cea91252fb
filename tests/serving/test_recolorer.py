import asyncio

import pytest

from app.grade import TOOLS, GradeError
from app.serving import MemoryCache, Overloaded, RecolorRequest, Unavailable
from app.students import Answer, EngineError
from tests.serving.engines import TOKENS, ScriptedEngine, look
from tests.serving.helpers import Counted, ask, eventually, metric, recolorer_of
from tests.serving.teachers import ScriptedTeacher

EVERY = list(TOOLS)


async def test_a_look_becomes_the_settings_of_all_tools() -> None:
    engine = ScriptedEngine()
    async with recolorer_of(engine) as recolorer:
        answer = await recolorer.recolor(ask("Golden  Hour"))
    assert answer.tools == {tool: look("golden hour", tool) for tool in TOOLS}
    assert answer.sources == dict.fromkeys(TOOLS, "student")
    assert (answer.failed, answer.cached, answer.model, answer.variant) == ({}, False, "scripted@1", "control")
    assert [[prompt.intent for prompt in batch] for batch in engine.batches] == [["golden hour"] * 3]


async def test_only_the_requested_tools_are_generated_and_answered_in_their_order() -> None:
    engine = ScriptedEngine()
    async with recolorer_of(engine) as recolorer:
        answer = await recolorer.recolor(ask("dusk", "filter", "adjust"))
    assert list(answer.tools) == list(answer.sources) == ["filter", "adjust"]
    assert [[prompt.tool for prompt in batch] for batch in engine.batches] == [["filter", "adjust"]]


async def test_an_unused_tool_is_none_and_its_source_is_named() -> None:
    engine = ScriptedEngine(script={("dusk", "filter"): Answer("<unused>")})
    async with recolorer_of(engine) as recolorer:
        answer = await recolorer.recolor(ask("dusk", "filter"))
    assert answer.tools == {"filter": None}
    assert answer.sources == {"filter": "student"}


def test_a_request_names_tools_that_exist() -> None:
    with pytest.raises(GradeError, match="sharpener"):
        RecolorRequest("dusk", ("sharpener",))
    with pytest.raises(ValueError, match="at least one"):
        RecolorRequest("dusk", ())


async def test_timings_name_the_stages_that_happened() -> None:
    async with recolorer_of(ScriptedEngine()) as recolorer:
        first = await recolorer.recolor(ask("dusk"))
        again = await recolorer.recolor(ask("dusk"))
    assert list(first.timings_ms) == ["total", "queue", "generate"]
    assert first.timings_ms["total"] >= first.timings_ms["generate"] > 0
    assert list(again.timings_ms) == ["total"]


async def test_the_same_look_is_answered_from_the_cache() -> None:
    engine = ScriptedEngine()
    async with recolorer_of(engine) as recolorer:
        first = await recolorer.recolor(ask("dusk"))
        again = await recolorer.recolor(ask(" DUSK "))
    assert (first.cached, again.cached) == (False, True)
    assert (again.tools, again.sources) == (first.tools, first.sources)
    assert len(engine.batches) == 1


async def test_only_the_tools_that_are_not_cached_are_generated() -> None:
    engine = ScriptedEngine()
    async with recolorer_of(engine) as recolorer:
        await recolorer.recolor(ask("dusk", "adjust"))
        answer = await recolorer.recolor(ask("dusk"))
    assert [[prompt.tool for prompt in batch] for batch in engine.batches] == [["adjust"], EVERY[1:]]
    assert not answer.cached
    assert answer.tools == {tool: look("dusk", tool) for tool in TOOLS}


async def test_a_small_cache_forgets_and_an_absent_one_remembers_nothing() -> None:
    for entries, batches in ((3, 3), (0, 3), (100, 2)):
        engine = ScriptedEngine()
        async with recolorer_of(engine, cache_entries=entries) as recolorer:
            for intent in ("dusk", "dawn", "dusk"):
                await recolorer.recolor(ask(intent))
        assert len(engine.batches) == batches


async def test_another_student_does_not_answer_from_the_cache_of_the_first() -> None:
    cache = MemoryCache(100)
    for engine in (ScriptedEngine(), ScriptedEngine(model="scripted@2"), ScriptedEngine(decoding="free")):
        async with recolorer_of(engine, cache=cache) as recolorer:
            assert not (await recolorer.recolor(ask("dusk"))).cached
            assert (await recolorer.recolor(ask("dusk"))).cached


async def test_identical_intents_in_flight_share_one_generation() -> None:
    engine = ScriptedEngine()
    async with recolorer_of(engine) as recolorer:
        engine.gate.clear()
        requests = [asyncio.create_task(recolorer.recolor(ask(intent))) for intent in ("dusk", "Dusk", " dusk ")]
        await eventually(lambda: len(engine.batches) == 1)
        requests.append(asyncio.create_task(recolorer.recolor(ask("DUSK", "filter"))))
        await asyncio.sleep(0)
        engine.gate.set()
        answers = await asyncio.gather(*requests)
    assert len(engine.batches) == 1
    assert all(answer.tools["filter"] == look("dusk", "filter") for answer in answers)
    assert not any(answer.cached for answer in answers)


async def test_a_cancelled_request_is_not_generated_but_what_others_wait_for_is() -> None:
    engine = ScriptedEngine()
    async with recolorer_of(engine) as recolorer:
        engine.gate.clear()
        running = asyncio.create_task(recolorer.recolor(ask("running")))
        await eventually(lambda: len(engine.batches) == 1)
        alone = asyncio.create_task(recolorer.recolor(ask("alone")))
        shared = [asyncio.create_task(recolorer.recolor(ask("shared"))) for _ in range(2)]
        await eventually(lambda: metric("recolor_queue_depth") == 6)
        alone.cancel()
        shared[0].cancel()
        await eventually(lambda: metric("recolor_queue_depth") == 3)
        engine.gate.set()
        answer = await shared[1]
        await running
    assert answer.tools == {tool: look("shared", tool) for tool in TOOLS}
    assert [batch[0].intent for batch in engine.batches] == ["running", "shared"]


async def test_a_full_queue_is_said_as_overloaded_and_counted() -> None:
    engine, rejected = ScriptedEngine(), Counted("recolor_rejected_total", reason="queue")
    async with recolorer_of(engine, max_queue=3) as recolorer:
        engine.gate.clear()
        running = asyncio.create_task(recolorer.recolor(ask("running")))
        await eventually(lambda: len(engine.batches) == 1)
        waiting = asyncio.create_task(recolorer.recolor(ask("waiting")))
        await eventually(lambda: metric("recolor_queue_depth") == 3)
        with pytest.raises(Overloaded):
            await recolorer.recolor(ask("too much"))
        engine.gate.set()
        await asyncio.gather(running, waiting)
        assert (await recolorer.recolor(ask("too much"))).failed == {}
    assert rejected.growth == 1


async def test_unreadable_text_is_an_answer_and_is_not_kept() -> None:
    engine = ScriptedEngine(script={("日暮れ", tool): Answer(None) for tool in TOOLS})
    async with recolorer_of(engine) as recolorer:
        for _ in range(2):
            answer = await recolorer.recolor(ask("日暮れ"))
            assert answer.tools == dict.fromkeys(TOOLS)
            assert answer.failed == dict.fromkeys(TOOLS, "low_confidence")
            assert (answer.sources, answer.cached) == ({}, False)
    assert len(engine.batches) == 2


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (Answer("<0><0>"), "truncated"),
        (Answer("<9999>" + "<0>" * 13), "schema"),
        (Answer("what?"), "schema"),
        (Answer("<0>" * 14, truncated=True), "truncated"),
        (Answer(None), "low_confidence"),
    ],
)
async def test_a_tool_that_cannot_be_read_fails_alone_and_is_asked_again(broken: Answer, reason: str) -> None:
    engine = ScriptedEngine(script={("dusk", "adjust"): broken})
    fallbacks = Counted("recolor_fallbacks_total", tool="adjust", reason=reason, model="scripted@1")
    async with recolorer_of(engine) as recolorer:
        answer = await recolorer.recolor(ask("dusk"))
        assert answer.tools == {"adjust": None, **{tool: look("dusk", tool) for tool in EVERY[1:]}}
        assert answer.failed == {"adjust": reason}
        assert set(answer.sources) == set(EVERY[1:])
        assert fallbacks.growth == 1
        del engine.script["dusk", "adjust"]
        repaired = await recolorer.recolor(ask("dusk"))
    assert (repaired.failed, repaired.cached) == ({}, False)
    assert [[prompt.tool for prompt in batch] for batch in engine.batches] == [EVERY, ["adjust"]]


async def test_when_everything_fails_for_a_passing_reason_the_service_is_unavailable() -> None:
    engine = ScriptedEngine(failures=[])
    async with recolorer_of(engine) as recolorer:
        engine.failures = [EngineError("broken")]
        with pytest.raises(Unavailable) as refused:
            await recolorer.recolor(ask("dusk"))
        assert refused.value.failed == dict.fromkeys(TOOLS, "engine_error")
        assert refused.value.retry_after >= 1
        assert (await recolorer.recolor(ask("dusk"))).failed == {}


async def test_a_student_slower_than_the_deadline_is_a_timeout() -> None:
    engine = ScriptedEngine()
    async with recolorer_of(engine, deadline_seconds=0.02, student_seconds=60) as recolorer:
        engine.gate.clear()
        with pytest.raises(Unavailable) as refused:
            await recolorer.recolor(ask("dusk"))
    assert refused.value.failed == dict.fromkeys(TOOLS, "timeout")


async def test_results_are_counted_by_tool_and_source() -> None:
    def counted(tool: str, source: str) -> Counted:
        labels = {"tool": tool, "source": source, "variant": "control", "model": "scripted@1"}
        return Counted("recolor_tool_results_total", **labels)

    counts = {
        key: counted(*key) for key in ((tool, source) for tool in TOOLS for source in ("student", "cache", "failed"))
    }
    stages = {
        stage: Counted("recolor_stage_duration_seconds_count", stage=stage, model="scripted@1")
        for stage in ("cache", "queue", "generate", "validate")
    }
    tokens = Counted("recolor_generated_tokens_total", model="scripted@1")
    engine = ScriptedEngine(script={("dusk", "filter"): Answer("?", tokens=1)})
    async with recolorer_of(engine) as recolorer:
        warm_up = tokens.growth
        await recolorer.recolor(ask("dusk"))
        await recolorer.recolor(ask("dusk"))
    grown = {key: count.growth for key, count in counts.items() if count.growth}
    assert grown == {
        ("adjust", "student"): 1,
        ("selective_adjust", "student"): 1,
        ("filter", "failed"): 2,
        ("adjust", "cache"): 1,
        ("selective_adjust", "cache"): 1,
    }
    assert tokens.growth - warm_up == 2 * TOKENS + 2
    assert {stage: count.growth for stage, count in stages.items()} == {
        "cache": 2,
        "queue": 2,
        "generate": 2,
        "validate": 2,
    }


async def test_requests_in_flight_are_counted() -> None:
    engine = ScriptedEngine()
    async with recolorer_of(engine) as recolorer:
        engine.gate.clear()
        requests = [asyncio.create_task(recolorer.recolor(ask(f"look {i}"))) for i in range(4)]
        await eventually(lambda: metric("recolor_inflight_requests") == 4)
        engine.gate.set()
        await asyncio.gather(*requests)
    assert metric("recolor_inflight_requests") == 0


async def test_closing_finishes_what_is_in_flight() -> None:
    engine = ScriptedEngine()
    async with recolorer_of(engine) as recolorer:
        engine.gate.clear()
        requests = [asyncio.create_task(recolorer.recolor(ask(f"look {i}"))) for i in range(4)]
        await eventually(lambda: len(engine.batches) == 1)
        closing = asyncio.create_task(recolorer.close())
        await asyncio.sleep(0.01)
        assert not closing.done()
        engine.gate.set()
        await closing
        answers = await asyncio.gather(*requests)
    assert [answer.tools["adjust"] for answer in answers] == [look(f"look {i}", "adjust") for i in range(4)]


async def test_hundreds_of_concurrent_requests_all_get_their_own_answer() -> None:
    engine = ScriptedEngine()
    async with recolorer_of(engine) as recolorer:
        intents = [f"look {i % 300}" for i in range(600)]
        answers = await asyncio.gather(*(recolorer.recolor(ask(intent)) for intent in intents))
    for intent, answer in zip(intents, answers, strict=True):
        assert answer.tools == {tool: look(intent, tool) for tool in TOOLS}
    assert sum(len(batch) for batch in engine.batches) == 900
    assert max(len(batch) for batch in engine.batches) == 96


async def test_who_joins_late_has_its_own_deadline() -> None:
    engine, teacher = ScriptedEngine(script={("winter", "filter"): Answer(None)}), ScriptedTeacher()
    teacher.gate.clear()
    async with recolorer_of(engine, teacher, deadline_seconds=8) as recolorer:
        first = asyncio.create_task(recolorer.recolor(ask("winter", "filter")))
        await asyncio.sleep(4)
        second = asyncio.create_task(recolorer.recolor(ask("winter", "filter")))
        with pytest.raises(Unavailable):
            await first
        assert not second.done()
        teacher.gate.set()
        assert (await second).sources == {"filter": "teacher"}
    assert len(teacher.calls) == 2
