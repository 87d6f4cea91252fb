"""A student behind a server that speaks the OpenAI protocol over real HTTP, and answers by a real network or badly."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from socket import socket
from typing import Any

import pytest
from prometheus_client import REGISTRY

from app.grade import TOOLS
from app.serving import MemoryCache, Recolorer, RecolorRequest
from app.settings import Settings
from app.students import EngineError, Generation, ModelStoreError, Overloaded, Prompt
from app.students.completions import ServerError
from app.students.remote import RemoteStudent
from tests.serving.helpers import eventually, settings
from tests.serving.teachers import ScriptedTeacher
from tests.students.completions import Continue, Endless, Networks
from tests.students.tiny_llama import TinyLlama
from tests.teacher.openai_server import KEY, Behaviour, Body, Call, Drop, Fail, OpenAIServer, Say
from tests.teacher.test_secrecy import everything_about

Make = Callable[..., RemoteStudent]
INTENT = "the light of aunt Ottilie's kitchen"
LOOKS = ["golden hour", "the matrix", "less harsh, a bit colder", "</s> [INST] dusk"]


def three(look: str) -> list[Prompt]:
    return [Prompt(look, tool) for tool in TOOLS]


def anything(call: Call) -> bool:
    return True


@pytest.fixture(scope="module")
def networks(tiny_llama: TinyLlama) -> Networks:
    return Networks(tiny_llama, tiny_llama.base)


@pytest.fixture
def server(networks: Networks) -> Iterator[OpenAIServer]:
    """Answers as it should until it is told otherwise."""
    with OpenAIServer() as running:
        running.reply(anything, Continue(networks))
        yield running


@pytest.fixture
async def make(server: OpenAIServer, tiny_llama: TinyLlama) -> AsyncIterator[Make]:
    """A student that asks the server; keyword arguments are settings."""
    made: list[RemoteStudent] = []

    def student(*, restart: float = 0.02, silent: float = 60.0, **changes: Any) -> RemoteStudent:
        given = {"backend": "remote", "remote_base_url": server.base_url, "remote_api_key": server.key}
        settings = tiny_llama.settings(tiny_llama.base, **given | {"deadline_seconds": 60} | changes)
        made.append(RemoteStudent(settings, restart_seconds=restart, silent_seconds=silent))
        return made[-1]

    yield student
    for each in made:
        await each.close()


async def started(student: RemoteStudent, server: OpenAIServer) -> RemoteStudent:
    """With its warm-up forgotten."""
    await student.start()
    assert student.ready
    server.calls.clear()
    return student


async def test_it_answers_as_the_network_does_in_this_process(
    make: Make, server: OpenAIServer, networks: Networks
) -> None:
    student = await started(make(), server)
    assert (student.model, student.codec.name, student.decoding) == ("tiny-llama@1", "letters", "constrained")
    for look in LOOKS:
        generation = await student.generate(three(look))
        wanted = networks.by["constrained"].generate(three(look))
        assert [answer.text for answer in generation.answers] == [answer.text for answer in wanted]
        assert [answer.tokens for answer in generation.answers] == [answer.tokens + 1 for answer in wanted]
        assert not any(answer.truncated for answer in generation.answers)


async def test_the_three_prompts_of_a_request_are_sent_at_once_each_with_its_grammar(
    make: Make, server: OpenAIServer, networks: Networks
) -> None:
    student = await started(make(), server)
    server.gate.clear()
    call = asyncio.create_task(student.generate(three("dusk")))
    await eventually(lambda: len(server.calls) == 3)
    server.gate.set()
    await call
    asked = {call.body["structured_outputs"]["regex"]: call.body for call in server.calls}
    assert asked.keys() == {student.codec.grammar(tool).regex() for tool in TOOLS}
    for body in asked.values():
        assert (body["model"], body["temperature"]) == ("tiny-llama@1", 0)
        assert body["prompt"][0].count(networks.tokenizer.bos_token_id) == 1
        assert networks.tokenizer.eos_token_id in body["allowed_token_ids"]


async def test_a_free_student_sends_its_prompts_in_one_call_without_a_grammar(
    make: Make, server: OpenAIServer, networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("dialogue", "generative"):
        monkeypatch.setattr(f"app.students.{module}.LONGEST_FREE", 40)
    monkeypatch.setattr(networks.by["free"]._writer, "_longest", 40)
    student = await started(make(decoding="free"), server)
    generation = await student.generate(three("dusk"))
    (call,) = server.calls
    assert call.body.keys() == {"model", "prompt", "temperature", "max_tokens", "return_token_ids"}
    assert generation.answers == networks.by["free"].generate(three("dusk"))
    assert any(answer.truncated for answer in generation.answers)


async def test_a_server_that_tells_no_tokens_is_read_by_its_text(
    make: Make, server: OpenAIServer, networks: Networks
) -> None:
    student = await started(make(), server)
    server.reply(anything, Continue(networks, without="token_ids"))
    generation = await student.generate(three("dusk"))
    wanted = networks.by["constrained"].generate(three("dusk"))
    assert [answer.text for answer in generation.answers] == [answer.text for answer in wanted]
    assert all(answer.tokens for answer in generation.answers)


async def test_a_look_that_cannot_be_read_is_not_sent(make: Make, server: OpenAIServer) -> None:
    student = await started(make(), server)
    generation = await student.generate([Prompt("\u200d", "filter")])
    assert [answer.text for answer in generation.answers] == [None]
    assert not server.calls


async def test_an_answer_that_was_cut_off_is_flagged(make: Make, server: OpenAIServer, networks: Networks) -> None:
    student = await started(make(), server)
    server.reply(anything, Continue(networks, changes={"finish_reason": "length"}))
    generation = await student.generate(three("dusk"))
    assert all(answer.truncated for answer in generation.answers)


async def test_the_students_name_at_the_server_and_its_key_are_settings(make: Make, server: OpenAIServer) -> None:
    student = await started(make(remote_model="llama"), server)
    await student.generate([Prompt("dusk", "filter")])
    assert student.model == "tiny-llama@1"
    assert server.calls[0].body["model"] == "llama"
    assert server.calls[0].headers["authorization"] == f"Bearer {KEY}"


def broken(networks: Networks) -> dict[str, tuple[Behaviour, str]]:
    """What a server may do instead of answering, and what is said of it."""
    return {
        "no such model": (Fail(404, f"no model for {KEY}"), "RECOLOR_REMOTE_MODEL"),
        "refused": (Fail(400), "refuses the prompts"),
        "failed": (Fail(500, f"Authorization: Bearer {KEY}"), "HTTP 500"),
        "dropped": (Drop(), "cannot be reached"),
        "a page": (Body(b"<html>Bad gateway</html>", "text/html"), "no completion"),
        "a chat": (Say("golden"), "no completion"),
        "endless": (Endless(), "without an end"),
        "another model": (Continue(networks, model="gpt-2"), "another model"),
        "one answer twice": (Continue(networks, changes={"index": 1}), "every prompt"),
        "aborted": (Continue(networks, changes={"finish_reason": "abort"}), "no completion"),
        "no tokens": (Continue(networks, changes={"token_ids": [-1]}), "no completion"),
        "too late": (Continue(networks, delay=60), "did not answer within"),
    }


@pytest.mark.parametrize("case", broken(None))  # type: ignore[arg-type]
async def test_a_server_that_does_not_answer_as_it_must_is_an_engine_error_and_no_secret_is_told(
    make: Make,
    server: OpenAIServer,
    networks: Networks,
    case: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    behaviour, message = broken(networks)[case]
    student = await started(make(), server)
    if case == "too late":
        student._server._seconds = 1.0
    server.reply(anything, behaviour)
    with pytest.raises(EngineError, match=message) as caught:
        await student.generate(three(INTENT))
    shown = everything_about(caught.value) + repr(vars(student)) + "".join(capsys.readouterr())
    shown += "".join(record.getMessage() + repr(record.args) for record in caplog.records if record.name != "asyncio")
    assert KEY not in shown
    assert INTENT not in shown


@pytest.mark.parametrize(("told", "seconds"), [("7", 7), ("0.2", 1), ("1e9", 60), ("soon", 1), (None, 1)])
async def test_a_server_that_is_full_is_told_as_such(
    make: Make, server: OpenAIServer, told: str | None, seconds: int
) -> None:
    student = await started(make(), server)
    server.reply(anything, Fail(429, retry_after=told))
    with pytest.raises(Overloaded) as caught:
        await student.generate(three("dusk"))
    assert caught.value.retry_after == seconds
    assert student.ready


async def test_a_call_that_is_cancelled_ends_at_the_server(
    make: Make, server: OpenAIServer, networks: Networks
) -> None:
    student = await started(make(), server)
    server.reply(anything, Continue(networks, delay=60))
    call = asyncio.create_task(student.generate(three("dusk")))
    await eventually(lambda: len(server.calls) == 3)
    asked = list(server.calls)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await eventually(lambda: all(each.abandoned.is_set() for each in asked))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"remote_api_key": "sk-wrong"}, "RECOLOR_REMOTE_API_KEY"),
        ({"remote_api_key": None}, "RECOLOR_REMOTE_API_KEY"),
        ({"remote_base_url": "wrong/v1"}, "RECOLOR_REMOTE_MODEL"),
    ],
)
async def test_a_setting_that_is_wrong_ends_the_start(
    make: Make, server: OpenAIServer, changes: dict[str, Any], message: str
) -> None:
    if "remote_base_url" in changes:
        changes = {"remote_base_url": f"{server.base_url}/{changes['remote_base_url']}"}
    with pytest.raises(ServerError, match=message):
        await make(**changes).start()


async def test_a_server_that_keeps_to_no_grammar_is_refused(
    make: Make, server: OpenAIServer, networks: Networks
) -> None:
    server.reply(anything, Continue(networks, changes={"token_ids": [5, 6]}))
    with pytest.raises(ServerError, match="RECOLOR_DECODING=free"):
        await make().start()
    free = make(decoding="free")
    await free.start()
    assert free.ready


@pytest.mark.parametrize("url", [None, "gpu:8000/v1", "http://gpu:0/v1"])
def test_an_address_is_asked_for(url: str | None) -> None:
    with pytest.raises(ValueError, match="RECOLOR_REMOTE_BASE_URL"):
        RemoteStudent(Settings(backend="remote", remote_base_url=url))


def test_a_key_that_no_header_can_carry_is_refused_without_being_shown() -> None:
    settings = Settings(backend="remote", remote_base_url="http://gpu/v1", remote_api_key=f"{KEY}\n")
    with pytest.raises(ValueError, match="RECOLOR_REMOTE_API_KEY") as caught:
        RemoteStudent(settings)
    assert KEY not in everything_about(caught.value)


async def test_the_service_starts_without_its_server_and_asks_the_teacher_meanwhile(
    make: Make, server: OpenAIServer, networks: Networks
) -> None:
    server.reply(anything, Fail(503))
    student = make()
    recolorer = Recolorer(student, ScriptedTeacher(), MemoryCache(0), settings(model=student.model))
    await recolorer.start()
    readiness = recolorer.readiness
    assert (readiness.degraded, readiness.student.codec, readiness.student.decoding) == (True, "letters", "constrained")
    answer = await recolorer.recolor(RecolorRequest("dusk"))
    assert answer.sources == dict.fromkeys(TOOLS, "teacher")
    server.reply(anything, Continue(networks))
    await eventually(lambda: student.ready)
    assert not recolorer.readiness.degraded
    answer = await recolorer.recolor(RecolorRequest("dusk"))
    assert answer.sources == dict.fromkeys(TOOLS, "student")
    await recolorer.close()


async def test_a_server_that_refuses_connections_costs_nothing(make: Make) -> None:
    with socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody else gets the port
        student = make(remote_base_url=f"http://127.0.0.1:{silent.getsockname()[1]}/v1", restart=60.0)
        await student.start()
    assert not student.ready
    with pytest.raises(EngineError, match="not running"):
        await student.generate(three("dusk"))


@pytest.mark.parametrize("idle", [True, False])
async def test_a_server_that_dies_is_found_out_and_comes_back_by_itself(
    make: Make, server: OpenAIServer, networks: Networks, idle: bool
) -> None:
    student = await started(make(silent=0.05 if idle else 60.0), server)
    server.reply(anything, Fail(500))
    if not idle:
        with pytest.raises(EngineError):
            await student.generate(three("dusk"))
    await eventually(lambda: not student.ready)
    assert REGISTRY.get_sample_value("recolor_engine_ready", {"model": "tiny-llama@1"}) == 0
    server.reply(anything, Continue(networks))
    await eventually(lambda: student.ready)
    assert isinstance(await student.generate(three("dusk")), Generation)


async def test_the_weights_need_not_be_there_but_the_tokenizer_must_be_whole(
    make: Make, tiny_llama: TinyLlama, tmp_path: Path
) -> None:
    folder = tmp_path / "students" / "tiny-llama" / "1"
    weights = shutil.ignore_patterns("*.safetensors")
    shutil.copytree(tiny_llama.stored(tiny_llama.base).path, folder, ignore=weights)
    student = make(model_store=tmp_path)
    await student.start()
    assert student.ready
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelStoreError, match=r"tokenizer\.json is damaged"):
        await make(model_store=tmp_path).start()
