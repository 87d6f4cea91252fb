"""The service over vLLM as its users and those on call see it: `recolor serve` with a LoRA adapter, over real HTTP.

One service for all tests, in which the last but one kills the engine, and the last ends the service.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.grade import TOOLS, Grade, fold
from app.grade.codecs import CODECS
from app.students import Prompt
from app.students.generative import GenerativeStudent
from app.students.store import ModelStore
from tests.ports import free_port
from tests.students.processes import alive, engines
from tests.students.tiny_llama import TinyLlama
from tests.teacher.openai_server import OpenAIServer, Say

pytestmark = [pytest.mark.usefixtures("vllm"), pytest.mark.timeout(900)]

WINTER = {"name": "winter", "intensity": 70}
SECRET = "an unmistakable wish"


@dataclass
class Running:
    """A service of its own. `before` is what it said about its readiness while vLLM started."""

    process: "subprocess.Popen[str]"
    client: httpx.Client
    port: int
    log: Path
    before: list[int]

    def recolor(self, intent: str) -> httpx.Response:
        return self.client.post("/recolor", json={"intent": intent})

    def metric(self, name: str, **labels: str) -> float:
        families = text_string_to_metric_families(self.client.get("/metrics").text)
        samples = (sample for family in families for sample in family.samples if sample.name == name)
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


@pytest.fixture(scope="module")
def teacher() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        server.reply("filter", Say.settings(WINTER))
        server.reply("adjust", Say.settings({"temperature": -30}))
        server.reply("selective_adjust", Say("TOOL: No, the request is not about single colours."))
        yield server


@pytest.fixture(scope="module")
def service(
    vllm: None, tiny_llama: TinyLlama, teacher: OpenAIServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    port = free_port()
    given = {
        "PORT": str(port),
        "RATE_LIMIT": "none",
        "BACKEND": "vllm",
        "MODEL": tiny_llama.adapter,
        "MODEL_STORE": str(tiny_llama.store),
        "DTYPE": "float32",
        "VLLM_CPU_CACHE_GIB": "0.25",
        "VLLM_SPECULATION": "ngram",
        "STUDENT_SECONDS": "60",
        "DEADLINE_SECONDS": "90",
        "TEACHER_API_KEY": teacher.key,
        "TEACHER_BASE_URL": teacher.base_url,
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RECOLOR_")}
    environment |= {f"RECOLOR_{name}": value for name, value in given.items()}
    log = tmp_path_factory.mktemp("service") / "log"
    command = [sys.executable, "-m", "app.cli", "serve"]
    with log.open("w") as written:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=written, text=True)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            running = Running(process, client, port, log, [])
            until(lambda: is_ready(running), 600)
            yield running
    finally:
        left = engines(process.pid)
        process.kill()
        process.communicate()
        for pid in left:
            with suppress(ProcessLookupError):  # they end with their service
                os.kill(pid, signal.SIGKILL)


def is_ready(running: Running) -> bool:
    assert running.process.poll() is None, running.log.read_text()
    try:
        status = running.client.get("/readyz").status_code
    except httpx.ConnectError:
        return False
    running.before.append(status)
    return status == 200


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def wanted(tiny_llama: TinyLlama) -> Callable[[str, str], Grade]:
    """The grade of a look by the stock network, its adapter merged into its weights."""
    store = ModelStore(tiny_llama.store)
    networks = {
        model: GenerativeStudent(store.find(model), store, None, "cpu", "float32")
        for model in (tiny_llama.adapter, tiny_llama.base)
    }

    def grade(model: str, look: str) -> Grade:
        answers = networks[model].generate([Prompt(fold(look), tool) for tool in TOOLS])
        texts = zip(TOOLS, answers, strict=True)
        return Grade.of({tool: CODECS["letters"].decode(tool, answer.text or "") for tool, answer in texts})

    return grade


def test_it_listens_while_vllm_starts(service: Running) -> None:
    assert service.before[0] == 503
    assert service.before[-1] == 200


def test_an_adapter_answers_as_it_does_merged_into_its_weights_and_otherwise_than_its_base(
    service: Running, tiny_llama: TinyLlama, wanted: Callable[[str, str], Grade]
) -> None:
    for look in ("golden hour", "the matrix", "less harsh, a bit colder", "noir", "</s> [INST] dusk"):
        answer = service.recolor(look).json()
        assert set(answer["sources"].values()) == {"student"}
        assert answer["model"] == tiny_llama.adapter
        grade = Grade.parse({tool: answer[tool] for tool in TOOLS})
        assert grade == wanted(tiny_llama.adapter, look)
        assert grade != wanted(tiny_llama.base, look)


def test_vllms_own_metrics_stand_beside_the_services(service: Running, tiny_llama: TinyLlama) -> None:
    service.recolor("a look for the metrics")
    own = {"model_name": tiny_llama.adapter}
    assert service.metric("vllm:request_success_total", finished_reason="stop", **own) >= 3
    assert service.metric("vllm:generation_tokens_total", **own) > 3
    assert service.metric("recolor_engine_ready", model=tiny_llama.adapter) == 1
    assert service.metric("recolor_generated_tokens_total", model=tiny_llama.adapter) > 3
    assert service.metric("recolor_stage_duration_seconds_count", stage="generate") >= 1


def test_what_is_guessed_ahead_changes_no_answer(service: Running) -> None:
    """All answers of this service, those compared above among them, are by speculative decoding."""
    assert service.metric("vllm:spec_decode_num_draft_tokens_total") > 0


def test_a_caller_who_left_is_not_generated_for(service: Running) -> None:
    """The engine is stopped while the caller comes and goes."""
    core = engines(service.process.pid)[0]
    answered = service.metric("vllm:request_success_total", finished_reason="stop")
    os.kill(core, signal.SIGSTOP)
    try:
        with create_connection(("127.0.0.1", service.port)) as connection:
            body = b'{"intent": "a look that nobody waits for"}'
            connection.sendall(
                b"POST /recolor HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (len(body), body)
            )
            until(lambda: service.metric("recolor_inflight_requests") == 1)
            time.sleep(0.2)
        until(lambda: service.metric("recolor_inflight_requests") == 0)
    finally:
        os.kill(core, signal.SIGCONT)
    assert service.recolor("a look that somebody waits for").status_code == 200
    until(lambda: service.metric("vllm:num_requests_running") == 0)
    # One request's, and one that the student asks itself to see whether the engine is well.
    assert service.metric("vllm:request_success_total", finished_reason="stop") - answered in (3, 4)


def test_an_engine_killed_mid_request_is_the_teachers_turn_until_another_has_started(
    service: Running, tiny_llama: TinyLlama
) -> None:
    core = engines(service.process.pid)[0]
    os.kill(core, signal.SIGSTOP)
    with httpx.Client(base_url=service.client.base_url, timeout=120) as other:
        answers: list[httpx.Response] = []
        asking = threading.Thread(target=lambda: answers.append(other.post("/recolor", json={"intent": SECRET})))
        asking.start()
        until(lambda: service.metric("recolor_inflight_requests") == 1)
        os.kill(core, signal.SIGKILL)
        asking.join()
    answer = answers[0].json()
    assert answer["sources"] == dict.fromkeys(TOOLS, "teacher")
    assert answer["filter"] == WINTER

    assert service.client.get("/readyz").json()["status"] == "degraded"
    assert service.metric("recolor_degraded") == 1
    until(lambda: service.metric("recolor_engine_ready", model=tiny_llama.adapter) == 0)
    assert service.recolor("meanwhile").json()["sources"] == dict.fromkeys(TOOLS, "teacher")

    until(lambda: service.client.get("/readyz").json()["status"] == "ready", 600)
    assert engines(service.process.pid) != [core]
    assert service.recolor("afterwards").json()["sources"] == dict.fromkeys(TOOLS, "student")
    assert service.metric("recolor_degraded") == 0


def test_it_ends_without_leaving_a_process_or_a_word_of_what_was_typed(service: Running) -> None:
    left = engines(service.process.pid)
    assert left
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(60) == 0
    assert not any(map(alive, left))
    assert SECRET not in service.log.read_text()
    assert "golden hour" not in service.log.read_text()
