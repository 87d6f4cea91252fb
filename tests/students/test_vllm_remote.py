"""A real vLLM server as a remote student, plain and with an adapter, and as the teacher; one server for all tests."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from app.grade import TOOLS, Grade
from app.main import build_recolorer
from app.serving import RecolorRequest
from app.students import EngineError, Prompt
from app.students.dialogue import Dialogue
from app.students.remote import RemoteStudent
from tests.serving.helpers import Counted, eventually
from tests.students.processes import engines
from tests.students.test_prompting import TYPED_CONTROLS
from tests.students.tiny_llama import TinyLlama
from tests.students.vllm_server import VLLMServer, vllm_server

pytestmark = [pytest.mark.usefixtures("vllm"), pytest.mark.timeout(900)]

LOOKS = ["golden hour", "the matrix", "less harsh, a bit colder", "noir", *TYPED_CONTROLS]
TEACHER = "tiny-teacher"
Settings = dict[str, Any]


@pytest.fixture(scope="module")
def server(vllm: None, tiny_llama: TinyLlama, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VLLMServer]:
    from tests.students.tiny_teacher import make

    folder = tmp_path_factory.mktemp("vllm-server")
    make(tiny_llama, folder / TEACHER)
    adapters = {tiny_llama.adapter: tiny_llama.stored(tiny_llama.adapter).path, TEACHER: folder / TEACHER}
    weights = tiny_llama.stored(tiny_llama.base).path
    with vllm_server(weights, tiny_llama.base, adapters, folder / "log") as running:
        yield running


@pytest.fixture
def settings(server: VLLMServer) -> Settings:
    patience = {"deadline_seconds": 120, "student_seconds": 60}
    return {"backend": "remote", "remote_base_url": server.base_url, "remote_api_key": server.key, **patience}


@pytest.fixture
async def student_of(tiny_llama: TinyLlama, settings: Settings) -> AsyncIterator[Callable[..., Any]]:
    """Starts a student at the server."""
    made: list[RemoteStudent] = []

    async def start(model: str, decoding: str | None = None) -> RemoteStudent:
        made.append(RemoteStudent(tiny_llama.settings(model, decoding=decoding, **settings)))
        await made[-1].start()
        assert made[-1].ready
        return made[-1]

    yield start
    for student in made:
        await student.close()


def three(look: str) -> list[Prompt]:
    return [Prompt(look, tool) for tool in TOOLS]


@pytest.mark.parametrize("decoding", ["constrained", "free"])
@pytest.mark.parametrize("model", ["tiny-llama@1", "tiny-llama-lora@1"])
async def test_vllms_server_answers_token_by_token_what_is_evaluated_offline(
    student_of: Callable[..., Any],
    tiny_llama: TinyLlama,
    model: str,
    decoding: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("dialogue", "generative"):
        monkeypatch.setattr(f"app.students.{module}.LONGEST_FREE", 60)
    student = await student_of(model, decoding)
    wanted = tiny_llama.offline(model, decoding, LOOKS)
    assert len(wanted) >= 10
    generations = await asyncio.gather(*(student.generate(three(look)) for look in wanted))
    assert [generation.answers for generation in generations] == [*wanted.values()]


async def test_vllms_server_answers_thirty_two_requests_at_once_validly(
    student_of: Callable[..., Any], tiny_llama: TinyLlama
) -> None:
    student = await student_of(tiny_llama.base)
    generations = await asyncio.gather(*(student.generate(three(f"look {number}")) for number in range(32)))
    for generation in generations:
        for tool, answer in zip(TOOLS, generation.answers, strict=True):
            student.codec.decode(tool, answer.text)


async def test_vllms_server_adds_no_token_to_what_it_is_sent(server: VLLMServer, tiny_llama: TinyLlama) -> None:
    dialogue = Dialogue(tiny_llama.stored(tiny_llama.base))
    prompts = [dialogue.prompt(Prompt(typed, "filter")) for typed in TYPED_CONTROLS]
    asked = {"model": tiny_llama.base, "prompt": prompts, "max_tokens": 1, "return_token_ids": True}
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {server.key}"}, timeout=60) as client:
        answer = (await client.post(f"{server.base_url}/completions", json=asked)).json()
    assert [choice["prompt_token_ids"] for choice in answer["choices"]] == prompts


async def test_vllms_server_generates_no_further_what_is_cancelled(
    student_of: Callable[..., Any], server: VLLMServer, tiny_llama: TinyLlama
) -> None:
    """Free answers of a random network go on to the limit: there is time to cancel them."""
    student = await student_of(tiny_llama.base, "free")
    generated = server.metric("generation_tokens_total")
    call = asyncio.create_task(student.generate(three("golden hour")))
    await eventually(lambda: server.metric("num_requests_running") == 3)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await eventually(lambda: server.metric("num_requests_running") == 0)
    assert server.metric("generation_tokens_total") - generated < 3 * 400


async def test_one_vllm_server_is_the_student_and_with_the_teachers_prompts_the_teacher(
    settings: Settings, server: VLLMServer, tiny_llama: TinyLlama
) -> None:
    """Freely decoded, the student's noise is invalid: everything is the teacher's turn, and that says no."""
    settings |= {"teacher_base_url": server.base_url, "teacher_api_key": server.key, "teacher_model": TEACHER}
    recolorer = build_recolorer(tiny_llama.settings(tiny_llama.base, decoding="free", **settings))
    told = Counted("recolor_teacher_requests_total", outcome="ok")
    await recolorer.start()
    try:
        answer = await recolorer.recolor(RecolorRequest("a look that only a teacher knows"))
    finally:
        await recolorer.close()
    assert answer.sources == dict.fromkeys(TOOLS, "teacher")
    assert Grade.of(answer.tools) == Grade()
    assert told.growth == 3


async def test_a_vllm_server_whose_engine_is_killed_mid_request_is_known_to_be_dead(
    student_of: Callable[..., Any], server: VLLMServer, tiny_llama: TinyLlama
) -> None:
    """The last test: the server ends with its engine."""
    student = await student_of(tiny_llama.base, "free")
    call = asyncio.create_task(student.generate(three("golden hour")))
    await eventually(lambda: server.metric("num_requests_running") == 3)
    for engine in engines(server.pid):
        os.kill(engine, signal.SIGKILL)
    with pytest.raises(EngineError):
        await call
    await eventually(lambda: not student.ready)
