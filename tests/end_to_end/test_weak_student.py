"""A really weak student, an early checkpoint that decodes freely, and a teacher who fills in what it gets wrong."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socket import create_server

import httpx

from app.api.server import server as make_server
from app.main import build
from app.settings import Settings
from tests.api.service import PATIENCE, PATIENT
from tests.students.tiny import Tiny
from tests.teacher.openai_server import Fail, OpenAIServer, Say

INTENT = "golden hour"
WINTER = {"name": "winter", "intensity": 70}


@contextmanager
def served(settings: Settings) -> Iterator[httpx.Client]:
    """The whole service with nothing replaced but its limits of time, as `recolor serve` wires it."""
    settings = settings.model_copy(update=PATIENT)
    over = threading.Event()
    failures: list[Exception] = []

    def started(error: Exception | None) -> None:
        failures.extend([error] if error else [])
        over.set()

    server = make_server(build(settings, started), settings)
    listener = create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        assert over.wait(PATIENCE)
        assert not failures
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=PATIENCE) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


def test_the_teacher_fills_exactly_the_tool_that_the_student_gets_wrong(tiny: Tiny) -> None:
    with OpenAIServer() as teacher:
        teacher.reply("filter", Say.settings(WINTER))
        settings = tiny.settings(
            decoding="free", teacher_api_key=teacher.key, teacher_base_url=teacher.base_url, rate_limit=""
        )
        with served(settings) as client:
            answer = client.post("/recolor", json={"intent": INTENT}).json()
            metrics = client.get("/metrics").text
    assert answer["sources"] == {"adjust": "student", "selective_adjust": "student", "filter": "teacher"}
    assert answer["filter"] == WINTER
    assert answer["failed"] == {}
    assert [call.tool for call in teacher.calls] == ["filter"]
    assert 'recolor_fallbacks_total{model="tiny@1",reason="schema",tool="filter"}' in metrics


def test_without_a_teacher_the_tool_fails_and_costs_the_others_nothing(tiny: Tiny) -> None:
    with served(tiny.settings(decoding="free", rate_limit="")) as client:
        response = client.post("/recolor", json={"intent": INTENT})
    assert response.status_code == 200
    answer = response.json()
    assert answer["failed"] == {"filter": "schema"}
    assert answer["filter"] is None
    assert set(answer["sources"]) == {"adjust", "selective_adjust"}


def test_a_dead_teacher_costs_only_the_tool_it_was_asked_for(tiny: Tiny) -> None:
    with OpenAIServer() as teacher:
        teacher.reply("filter", Fail(500))
        settings = tiny.settings(
            decoding="free", teacher_api_key=teacher.key, teacher_base_url=teacher.base_url, rate_limit=""
        )
        with served(settings) as client:
            answer = client.post("/recolor", json={"intent": INTENT}).json()
    assert answer["failed"] == {"filter": "teacher_error"}
    assert set(answer["sources"]) == {"adjust", "selective_adjust"}


def test_the_same_student_under_its_grammar_needs_no_teacher(tiny: Tiny) -> None:
    with served(tiny.settings(decoding="constrained", rate_limit="")) as client:
        answer = client.post("/recolor", json={"intent": INTENT}).json()
    assert set(answer["sources"].values()) == {"student"}
    assert answer["failed"] == {}


def test_an_unreadable_intent_goes_to_the_teacher(tiny: Tiny) -> None:
    with OpenAIServer() as teacher:
        teacher.reply("filter", Say.settings(WINTER))
        teacher.reply("adjust", Say.settings({"temperature": -30}))
        teacher.reply("selective_adjust", Say("TOOL: No, the request is not about single colours."))
        settings = tiny.settings(teacher_api_key=teacher.key, teacher_base_url=teacher.base_url, rate_limit="")
        with served(settings) as client:
            answer = client.post("/recolor", json={"intent": "冬の朝"}).json()
    assert set(answer["sources"].values()) == {"teacher"}
    assert answer["adjust"]["temperature"] == -30
    assert answer["selective_adjust"] is None
