"""A student under real vLLM on this CPU; one engine for all tests, which the last ones kill."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from app.grade import TOOLS
from app.grade.codecs import CODECS
from app.serving import MemoryCache, Overloaded, Recolorer, RecolorRequest, Unavailable
from app.students import EngineError, Prompt
from app.students.dialogue import Dialogue
from app.students.generative import load_tokenizer
from app.students.prompting import Prompter
from app.students.text import readable
from app.students.vllm import VLLMStudent
from app.students.vllm_engine import VLLMEngine
from benchmarks.intents import examples_to_ask
from tests.serving.helpers import eventually
from tests.serving.teachers import absent
from tests.students.processes import alive, engines, watches_a_process
from tests.students.test_prompting import TYPED_CONTROLS
from tests.students.tiny_llama import TinyLlama

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("vllm"),
    pytest.mark.timeout(900),
]

LOOKS = [example.intent for example in examples_to_ask()[:50]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def student(vllm: None, tiny_llama: TinyLlama) -> AsyncIterator[VLLMStudent]:
    student = VLLMStudent(tiny_llama.settings(tiny_llama.base))
    assert not student.ready
    await student.start()
    yield student
    await student.close()
    assert engines(os.getpid()) == []


def three(look: str) -> list[Prompt]:
    return [Prompt(look, tool) for tool in TOOLS]


def engine_of(student: VLLMStudent) -> VLLMEngine:
    assert student._engine is not None
    return student._engine


def writing(student: VLLMStudent, tiny_llama: TinyLlama, model: str, decoding: str | None = None) -> VLLMEngine:
    """Another student of the same network in the engine that runs."""
    return VLLMEngine(engine_of(student)._engine, Dialogue(tiny_llama.stored(model), decoding), None)


def vllm_metric(name: str, **labels: str) -> float:
    labels = {"engine": "0", "model_name": "tiny-llama@1", **labels}
    return REGISTRY.get_sample_value(f"vllm:{name}", labels) or 0.0


async def test_it_starts_and_says_what_it_is(student: VLLMStudent) -> None:
    assert student.ready
    assert (student.model, student.codec.name, student.decoding) == ("tiny-llama@1", "letters", "constrained")
    (core,) = engines(os.getpid())
    assert watches_a_process(core), "it would outlive a service that is killed"
    assert REGISTRY.get_sample_value("recolor_engine_ready", {"model": "tiny-llama@1"}) == 1


async def test_three_prompts_give_three_answers_in_their_order(student: VLLMStudent) -> None:
    generation = await student.generate(three("golden hour"))
    for tool, answer in zip(TOOLS, generation.answers, strict=True):
        assert answer.text is not None
        assert student.codec.grammar(tool).accepts(answer.text)
        # One token a character, and the end.
        assert (answer.tokens, answer.truncated) == (len(answer.text) + 1, False)
    assert 0 <= generation.queued < generation.generating
    alone = [(await student.generate([prompt])).answers[0] for prompt in three("golden hour")]
    assert generation.answers == alone


@pytest.mark.parametrize("codec", CODECS)
async def test_every_codec_is_kept_to_by_its_grammar(student: VLLMStudent, tiny_llama: TinyLlama, codec: str) -> None:
    model = {"letters": tiny_llama.base, "json": tiny_llama.json, "compact": tiny_llama.compact}[codec]
    engine = writing(student, tiny_llama, model)
    for look in LOOKS[:6]:
        answers, _ = await engine.generate(three(look))
        for tool, answer in zip(TOOLS, answers, strict=True):
            assert answer.text is not None
            assert CODECS[codec].grammar(tool).accepts(answer.text)
            CODECS[codec].decode(tool, answer.text)


async def test_without_the_grammar_the_same_network_answers_nothing_valid_and_is_cut_off(
    student: VLLMStudent, tiny_llama: TinyLlama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.students.dialogue.LONGEST_FREE", 60)
    answers, _ = await writing(student, tiny_llama, tiny_llama.base, "free").generate(three("golden hour"))
    assert [(answer.tokens, answer.truncated) for answer in answers] == [(60, True)] * 3
    assert not any(
        student.codec.grammar(tool).accepts(answer.text or "") for tool, answer in zip(TOOLS, answers, strict=True)
    )


@pytest.mark.parametrize("decoding", ["constrained", "free"])
async def test_answers_are_token_by_token_those_that_are_evaluated_offline(
    student: VLLMStudent, tiny_llama: TinyLlama, decoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("dialogue", "generative"):
        monkeypatch.setattr(f"app.students.{module}.LONGEST_FREE", 60)
    engine = writing(student, tiny_llama, tiny_llama.base, decoding)
    wanted = tiny_llama.offline(tiny_llama.base, decoding, LOOKS)
    assert len(wanted) > 40
    answered = await asyncio.gather(*(engine.generate(three(look)) for look in wanted))
    assert [answers for answers, _ in answered] == [*wanted.values()]
    assert len({answer.text for answers, _ in answered for answer in answers}) > 100


async def test_thirty_two_requests_at_once_are_all_answered_validly(student: VLLMStudent) -> None:
    generations = await asyncio.gather(*(student.generate(three(f"look {number}")) for number in range(32)))
    for generation in generations:
        for tool, answer in zip(TOOLS, generation.answers, strict=True):
            assert answer.text is not None
            student.codec.decode(tool, answer.text)


async def test_what_is_typed_reaches_the_engine_without_a_control_token(
    student: VLLMStudent, tiny_llama: TinyLlama, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, taken_in = engine_of(student)._engine, []

    async def generate(*arguments: Any, **named: Any) -> AsyncIterator[Any]:
        async for output in type(engine).generate(engine, *arguments, **named):
            taken_in.append(output.prompt_token_ids)
            yield output

    monkeypatch.setattr(engine, "generate", generate)
    looks = ["golden hour", *TYPED_CONTROLS, "contrast <10> or <unused>"]  # the last are tokens of a codec
    for typed in looks:
        await student.generate([Prompt(typed, "filter")])
    tokenizer = load_tokenizer(tiny_llama.stored(tiny_llama.base))
    control = Prompter(tokenizer, "chat").control
    frames = [[index for index in ids if index in control] for ids in taken_in]
    # Those of the conversation's form, one beginning among them, and no others whatever is typed.
    assert frames == [frames[0]] * len(frames)
    assert frames[0].count(tokenizer.bos_token_id) == 1
    for typed, ids in zip(looks, taken_in, strict=True):
        assert readable(typed) in tokenizer.decode(ids)


async def test_a_call_that_is_cancelled_is_generated_no_further(student: VLLMStudent, tiny_llama: TinyLlama) -> None:
    """Free answers of a random network go on to the limit: there is time to cancel them."""
    engine = writing(student, tiny_llama, tiny_llama.base, "free")
    generated = vllm_metric("generation_tokens_total")
    call = asyncio.create_task(engine.generate(three("golden hour")))
    await eventually(lambda: vllm_metric("num_requests_running") == 3)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    # The numbers come with the next step: that of a prompt which is now alone.
    await student.generate([Prompt("dusk", "filter")])
    assert vllm_metric("num_requests_running") == 0
    assert vllm_metric("num_requests_waiting") == 0
    assert vllm_metric("generation_tokens_total") - generated < 3 * 400


async def test_a_time_out_takes_the_prompts_out_of_the_engine(student: VLLMStudent, tiny_llama: TinyLlama) -> None:
    settings = tiny_llama.settings(tiny_llama.base, deadline_seconds=0.3)
    recolorer = Recolorer(student, absent(), MemoryCache(0), settings)
    core, answered = engines(os.getpid())[0], vllm_metric("request_success_total", finished_reason="stop")
    os.kill(core, signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable, match="adjust: timeout"):
            await recolorer.recolor(RecolorRequest("a look that nobody waits for"))
    finally:
        os.kill(core, signal.SIGCONT)
    await student.generate([Prompt("dusk", "filter")])
    # The student asks something itself, too, to see whether the engine is well.
    await eventually(lambda: vllm_metric("num_requests_running") == 0)
    assert vllm_metric("request_success_total", finished_reason="stop") - answered in (1, 2)
    assert student.ready


async def test_more_prompts_than_may_wait_are_refused(
    student: VLLMStudent, tiny_llama: TinyLlama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(student, "_most", 4)
    one = asyncio.create_task(student.generate(three("dawn")))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await student.generate(three("dusk"))
    await one
    await student.generate(three("dusk"))


async def test_an_engine_that_hangs_is_found_out_ended_and_replaced(student: VLLMStudent) -> None:
    """The last test: when it is over, so is the engine."""
    student._stalled_seconds, student._restart_seconds = 1.0, 0.0
    core = engines(os.getpid())[0]
    os.kill(core, signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await student.generate(three("dusk"))
    await eventually(lambda: not student.ready)
    with pytest.raises(EngineError, match="not running"):
        await student.generate(three("dusk"))
    await eventually(lambda: not alive(core))
    # The fixture closes the student while the next engine is being started, and finds no process left.
    await eventually(lambda: bool(engines(os.getpid())))
