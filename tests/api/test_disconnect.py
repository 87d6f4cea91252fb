"""A caller who has gone away costs nothing more."""

from app.grade import TOOLS
from app.students import Answer
from tests.api.service import read_response, served, until
from tests.serving.engines import ScriptedEngine, look
from tests.serving.helpers import Counted, metric
from tests.serving.teachers import ScriptedTeacher


def waiting() -> float:
    return metric("recolor_queue_depth")


def test_what_was_asked_by_a_caller_who_left_is_not_generated() -> None:
    engine = ScriptedEngine()
    gone = Counted(
        "recolor_request_duration_seconds_count", route="/recolor", status="499", variant="", model="scripted@1"
    )
    with served(engine, max_batch=3) as service, service.connect() as stays:
        engine.gate.clear()
        service.post_bare(stays, "stays")
        until(lambda: len(engine.batches) == 1)
        with service.connect() as leaves:
            service.post_bare(leaves, "leaves")
            until(lambda: waiting() == 3)
        until(lambda: waiting() == 0)
        until(lambda: gone.growth == 1)
        engine.gate.set()
        assert read_response(stays).status_code == 200
        assert service.recolor("dusk").status_code == 200

    asked = {prompt.intent for batch in engine.batches for prompt in batch}
    assert asked == {"stays", "dusk"}


def test_who_asked_the_same_and_stayed_gets_the_answer() -> None:
    engine = ScriptedEngine()
    with served(engine) as service, service.connect() as stays:
        engine.gate.clear()
        with service.connect() as leaves:
            service.post_bare(leaves, "the same")
            until(lambda: len(engine.batches) == 1)
            service.post_bare(stays, "the same")
            until(lambda: metric("recolor_inflight_requests") == 2)
        until(lambda: metric("recolor_inflight_requests") == 1)
        engine.gate.set()
        assert read_response(stays).json()["adjust"] == look("the same", "adjust").model_dump()
    assert len(engine.batches) == 1


def test_the_teacher_is_not_asked_any_longer_either() -> None:
    teacher = ScriptedTeacher()
    engine = ScriptedEngine(script={("odd", tool): Answer(None) for tool in TOOLS})
    with served(engine, teacher) as service:
        teacher.gate.clear()
        with service.connect() as leaves:
            service.post_bare(leaves, "odd")
            until(lambda: len(teacher.calls) == len(TOOLS))
        until(lambda: teacher.cancelled == len(TOOLS))
        teacher.gate.set()
        assert service.recolor("dusk").status_code == 200
