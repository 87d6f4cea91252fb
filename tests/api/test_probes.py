"""GET /healthz, /readyz, /models, /tools: alive at once, ready when somebody can answer."""

from app.grade import json_schemas
from app.students import EngineError
from tests.api.service import Service, assert_error, served, until
from tests.serving.engines import Factory, ScriptedEngine
from tests.serving.teachers import ScriptedTeacher


def test_a_warm_service_is_ready(service: Service) -> None:
    assert service.client.get("/healthz").json() == {"status": "alive"}
    assert service.client.get("/readyz").json() == {"status": "ready", "model": "scripted@1"}


def test_while_the_student_loads_the_service_is_alive_but_not_ready() -> None:
    engine = ScriptedEngine()
    factory = Factory([engine])
    factory.gate.clear()
    with served(engine, factory=factory, wait=False) as service:
        assert service.client.get("/healthz").status_code == 200
        assert service.client.get("/tools").status_code == 200
        for response in (service.client.get("/readyz"), service.client.get("/models"), service.recolor("dusk")):
            assert_error(response, 503, "unavailable")
            assert int(response.headers["retry-after"]) >= 1
        factory.gate.set()
        assert service.started.wait(60)
        assert service.client.get("/readyz").status_code == 200
        assert service.recolor("dusk").status_code == 200


def test_ready_means_that_the_student_has_warmed_up() -> None:
    engine = ScriptedEngine()
    engine.gate.clear()
    with served(engine, wait=False) as service:
        until(lambda: len(engine.batches) == 1)  # it is loaded, and answering for the first time
        assert_error(service.client.get("/readyz"), 503, "unavailable")
        engine.gate.set()
        assert service.started.wait(60)
        assert service.client.get("/readyz").status_code == 200


def test_a_working_teacher_does_not_make_a_loading_student_ready() -> None:
    factory = Factory([ScriptedEngine()])
    factory.gate.clear()
    with served(teacher=ScriptedTeacher(), factory=factory, wait=False) as service:
        assert_error(service.client.get("/readyz"), 503, "unavailable")
        factory.gate.set()


def kill(service: Service) -> None:
    """Let the student fail until it counts as dead."""
    service.engine.failures += [EngineError("gone")] * 3
    for number in range(3):
        service.recolor(f"deadly {number}")
    until(lambda: service.client.get("/readyz").text != '{"status":"ready","model":"scripted@1"}')


def test_with_a_dead_student_a_teacher_makes_it_degraded() -> None:
    engine = ScriptedEngine()
    factory = Factory([engine], failures=[])
    with served(engine, ScriptedTeacher(), factory=factory) as service:
        kill(service)
        assert service.client.get("/readyz").json() == {"status": "degraded", "model": "scripted@1"}
        assert set(service.recolor("dusk").json()["sources"].values()) == {"teacher"}


def test_with_neither_it_is_not_ready() -> None:
    engine = ScriptedEngine()
    with served(engine, factory=Factory([engine])) as service:
        kill(service)
        assert_error(service.client.get("/readyz"), 503, "unavailable")
        assert_error(service.recolor("dusk"), 503, "unavailable")
        assert service.client.get("/healthz").status_code == 200


def test_a_start_that_failed_is_reported_once() -> None:
    with served(factory=Factory([], failures=[RuntimeError("no model here")]), wait=False) as service:
        assert service.started.wait(60)
        assert [str(error) for error in service.failures] == ["no model here"]
        assert_error(service.client.get("/readyz"), 503, "unavailable")


def test_the_models_are_listed(service: Service) -> None:
    student = {"role": "student", "model": "scripted@1", "ready": True, "codec": "compact", "decoding": "constrained"}
    assert service.client.get("/models").json() == {"models": [student]}


def test_a_teacher_is_listed_where_there_is_one() -> None:
    with served(teacher=ScriptedTeacher(), teacher_model="gpt-test") as service:
        teacher = service.client.get("/models").json()["models"][1]
    assert teacher == {"role": "teacher", "model": "gpt-test", "ready": True}


def test_the_tools_are_described_by_json_schemas(service: Service) -> None:
    assert service.client.get("/tools").json() == json_schemas()


def test_what_the_service_answers_by_is_closed_with_it() -> None:
    teacher = ScriptedTeacher()
    with served(teacher=teacher):
        assert not teacher.closed
    assert teacher.closed
