"""POST /lut, POST /xmp: a look for other editors, and for the page that draws it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from socket import socket
from threading import Event
from typing import Any
from xml.etree import ElementTree

import httpx
import numpy as np
import pytest

from app.api.routes import lut as lut_route
from app.grade import TOOLS, Grade
from app.render import Lane, Lut, compile_lut
from app.render.cube import read as read_cube
from app.students import Answer
from tests.api.service import Service, assert_error, read_response, served, until
from tests.serving.engines import ScriptedEngine
from tests.serving.helpers import Counted
from tests.serving.teachers import ScriptedTeacher

GRADE: dict[str, Any] = {"adjust": {"exposure": 20, "temperature": -10}, "filter": {"name": "vivid", "intensity": 40}}
TEXTURE = {"Accept": "application/octet-stream"}


def lut(service: Service, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    return service.client.post("/lut", json=body, headers=headers)


def assert_is(answered: httpx.Response, expected: Lut) -> None:
    assert answered.status_code == 200, answered.text
    np.testing.assert_allclose(read_cube(answered.text).table, expected.table, atol=1e-6)


def test_a_grade_becomes_a_cube_file_with_its_colours(service: Service) -> None:
    answered = lut(service, grade=GRADE)

    assert_is(answered, compile_lut(Grade.parse(GRADE)))
    assert answered.headers["content-type"] == "text/plain; charset=utf-8"
    assert answered.headers["content-disposition"] == 'attachment; filename="recolor.cube"'
    assert answered.headers["x-lut-size"] == "33"
    assert "lut;dur=" in answered.headers["server-timing"]


def test_an_intent_is_answered_as_by_recolor(service: Service) -> None:
    cached = service.recolor("a look of its own").json()
    answered = lut(service, intent="  A look of\tits own ")

    assert_is(answered, compile_lut(Grade.parse({tool: cached[tool] for tool in TOOLS})))
    assert answered.text.startswith('TITLE "A look of its own"\n')
    assert "generate" not in answered.headers["server-timing"], "it was known already"


def test_a_look_that_was_seen_is_not_decided_afresh() -> None:
    """Fresh answers of the teacher are for `POST /recolor`."""
    teacher = ScriptedTeacher()
    with served(teacher=teacher, teacher_fresh_share=1.0) as running:
        assert set(running.recolor("dusk").json()["sources"].values()) == {"teacher"}
        teacher.calls.clear()
        for route in ("/lut", "/xmp"):
            assert running.client.post(route, json={"intent": "dusk"}).status_code == 200
    assert teacher.calls == []


@pytest.mark.parametrize(
    ("intent", "name"),
    [
        ("Golden Hour!", "golden-hour"),
        ("café à la carte", "cafe-a-la-carte"),
        ("שקיעה", "recolor"),
        ("../../etc/passwd", "etc-passwd"),
        ('a"; filename="b.exe', "a-filename-b-exe"),
        ("x" * 200, "x" * 60),
    ],
)
def test_the_file_is_named_after_the_look(service: Service, intent: str, name: str) -> None:
    answered = lut(service, intent=intent, size=17)
    assert answered.headers["content-disposition"] == f'attachment; filename="{name}.cube"'


@pytest.mark.parametrize("size", [17, 65])
def test_other_sizes_can_be_asked_for(service: Service, size: int) -> None:
    assert_is(lut(service, grade=GRADE, size=size), compile_lut(Grade.parse(GRADE), size))


def test_less_of_the_look_can_be_asked_for(service: Service) -> None:
    assert_is(lut(service, grade=GRADE, strength=30.5, size=17), compile_lut(Grade.parse(GRADE), 17, 30.5))
    assert_is(lut(service, grade=GRADE, strength=0, size=17), compile_lut(Grade(), 17))


@pytest.mark.parametrize("grade", [{}, {"adjust": None}, {"adjust": {}}, {"filter": {"name": "vivid", "intensity": 0}}])
def test_a_grade_that_changes_nothing_is_the_identity(service: Service, grade: dict[str, Any]) -> None:
    assert_is(lut(service, grade=grade, size=17), compile_lut(Grade(), 17))


@pytest.mark.parametrize("size", [17, 33])
def test_the_page_gets_the_same_colours_as_a_texture(service: Service, size: int) -> None:
    answered = lut(service, {"Accept": "text/html, application/octet-stream;q=0.9"}, grade=GRADE, size=size)

    assert answered.headers["content-type"] == "application/octet-stream"
    assert answered.headers["x-lut-size"] == str(size)
    assert answered.headers["vary"] == "Accept"
    assert "content-disposition" not in answered.headers
    assert len(answered.content) == size**3 * 8
    blue_green_red = np.frombuffer(answered.content, "<f2").reshape(size, size, size, 4)
    assert (blue_green_red[..., 3] == 1).all()
    expected = compile_lut(Grade.parse(GRADE), size).table.transpose(2, 1, 0, 3)
    np.testing.assert_array_equal(blue_green_red[..., :3], expected.astype(np.float16))


def test_steps_that_no_lut_can_hold_are_named(service: Service) -> None:
    spatial = {"adjust": {"exposure": 20, "bloom": 5, "sharpen": 10}}
    assert set(lut(service, grade=spatial, size=17).headers["x-recolor-spatial"].split(", ")) == {"bloom", "sharpen"}
    assert lut(service, TEXTURE, grade=spatial, size=17).headers["x-recolor-spatial"]
    assert "x-recolor-spatial" not in lut(service, grade=spatial, strength=0, size=17).headers
    assert "x-recolor-spatial" not in lut(service, grade=GRADE, size=17).headers


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "intent or grade"),
        ({"intent": None, "grade": None}, "intent or grade"),
        ({"intent": "dusk", "grade": GRADE}, "intent or grade"),
        ({"intent": " "}, "intent"),
        ({"grade": []}, "grade"),
        ({"grade": {"adjust": {"exposure": 101}}}, "grade.adjust.exposure"),
        ({"grade": {"adjust": {"exposure": 1.5}}}, "grade.adjust.exposure"),
        ({"grade": {"adjust": {"exposure": True}}}, "grade.adjust.exposure"),
        ({"grade": {"adjust": {"shutter": 1}}}, "grade.adjust.shutter"),
        ({"grade": {"filter": {"name": "sepia", "intensity": 10}}}, "grade.filter.name"),
        ({"grade": {"selective_adjust": {"red": {"hue": 1}}}}, "grade.selective_adjust.red.hue"),
        ({"grade": {"crop": {}}}, "grade.crop"),
        ({"intent": "dusk", "size": 32}, "size"),
        ({"intent": "dusk", "size": "33"}, "size"),
        ({"intent": "dusk", "strength": 101}, "strength"),
        ({"intent": "dusk", "strength": -1}, "strength"),
        ({"intent": "dusk", "strength": "70"}, "strength"),
        ({"intent": "dusk", "format": "3dl"}, "format"),
    ],
)
@pytest.mark.parametrize("path", ["/lut", "/xmp"])
def test_what_is_wrong_is_named(service: Service, path: str, body: dict[str, Any], named: str) -> None:
    assert named in assert_error(service.client.post(path, json=body), 422, "invalid_field")


@pytest.mark.parametrize("path", ["/lut", "/xmp"])
def test_bodies_are_limited_as_those_of_recolor_are(service: Service, path: str) -> None:
    as_form = service.client.post(path, data={"intent": "dusk"})
    assert_error(as_form, 415, "unsupported_media_type")
    headers = {"Content-Type": "application/json"}
    assert_error(service.client.post(path, content="{", headers=headers), 400, "malformed")
    assert_error(service.client.post(path, content=" " * 20_000 + "{}", headers=headers), 413, "too_large")
    assert_error(service.client.get(path), 405, "method_not_allowed")


def test_a_look_that_nobody_can_read_is_refused_and_a_tool_that_failed_is_waited_for() -> None:
    script = {("ぬるぽ", tool): Answer(None) for tool in TOOLS}
    script |= {("partly", "filter"): Answer(None), ("odd", "filter"): Answer("?", tokens=1)}
    script |= {("hopeless", tool): Answer("?", tokens=1) for tool in TOOLS}
    with served(ScriptedEngine(script=script)) as service:
        assert "low_confidence" in assert_error(lut(service, intent="ぬるぽ"), 422, "invalid_field")
        assert "filter: low_confidence" in assert_error(lut(service, intent="partly"), 422, "invalid_field")
        for intent in ("odd", "hopeless"):
            refused = lut(service, intent=intent)
            assert "filter: schema" in assert_error(refused, 503, "unavailable")
            assert int(refused.headers["retry-after"]) >= 1
        assert lut(service, intent="dusk").status_code == 200


def test_a_grade_needs_no_student_but_an_intent_does() -> None:
    engine = ScriptedEngine()
    engine.gate.clear()
    with served(engine, wait=False) as service:
        assert lut(service, grade=GRADE, size=17).status_code == 200
        assert_error(lut(service, intent="dusk"), 503, "unavailable")


@dataclass
class Gated:
    """LUTs are compiled while `gate` is open; `strengths` are those that were begun."""

    gate: Event = field(default_factory=Event)
    strengths: list[float] = field(default_factory=list)

    def compile(self, grade: Grade, size: int, strength: float) -> Lut:
        self.strengths.append(strength)
        assert self.gate.wait(60)
        return compile_lut(grade, size, strength)


@pytest.fixture
def gated(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gated]:
    compiler = Gated()
    monkeypatch.setattr(lut_route, "compile_lut", compiler.compile)
    yield compiler
    compiler.gate.set()


def begin(connection: socket, strength: float) -> None:
    body = json.dumps({"grade": GRADE, "size": 17, "strength": strength})
    head = f"POST /lut HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall((head + body).encode())


def test_more_than_may_wait_is_429(gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.app.Lane", partial(Lane, 2))
    full = Counted("recolor_rejected_total", reason="export_queue")
    with served() as service, service.connect() as first, service.connect() as second, service.connect() as third:
        begin(first, 51)
        until(lambda: gated.strengths == [51])
        begin(second, 52)
        begin(third, 53)
        until(lambda: full.growth == 1)
        gated.gate.set()
        assert read_response(first).status_code == 200
        others = sorted(map(read_response, (second, third)), key=lambda response: response.status_code)
        assert others[0].status_code == 200
        assert_error(others[1], 429, "too_many_requests")
        assert int(others[1].headers["retry-after"]) >= 1


def test_a_lut_is_not_compiled_for_who_has_left(gated: Gated) -> None:
    gone = Counted("recolor_request_duration_seconds_count", route="/lut", status="499", variant="", model="scripted@1")
    with served() as service, service.connect() as stays:
        begin(stays, 61)
        until(lambda: gated.strengths == [61])
        with service.connect() as leaves:
            begin(leaves, 62)
        until(lambda: gone.growth == 1)
        gated.gate.set()
        assert read_response(stays).status_code == 200
        assert lut(service, grade=GRADE, size=17, strength=63).status_code == 200
    assert gated.strengths == [61, 63]


def test_answers_go_on_while_a_lut_is_compiled(gated: Gated) -> None:
    with served() as service, service.connect() as waits:
        begin(waits, 71)
        until(lambda: gated.strengths == [71])
        assert service.recolor("dusk").status_code == 200
        gated.gate.set()
        assert read_response(waits).status_code == 200


def test_the_same_lut_is_compiled_once(gated: Gated, service: Service) -> None:
    gated.gate.set()
    for headers in (TEXTURE, {}, TEXTURE):
        assert lut(service, headers, grade=GRADE, size=17, strength=81).status_code == 200
    assert gated.strengths == [81]


def test_lightroom_gets_a_preset(service: Service) -> None:
    answered = service.client.post("/xmp", json={"intent": "Golden Hour", "strength": 50})

    assert answered.status_code == 200
    assert answered.headers["content-type"] == "application/rdf+xml"
    assert answered.headers["content-disposition"] == 'attachment; filename="golden-hour.xmp"'
    assert "RGBTable" not in answered.text
    assert "Golden Hour" in "".join(ElementTree.fromstring(answered.content).itertext())


def test_lightroom_gets_a_profile_where_one_is_asked_for(service: Service) -> None:
    answered = service.client.post("/xmp", json={"grade": GRADE, "kind": "profile"})

    assert answered.status_code == 200
    ElementTree.fromstring(answered.content)
    assert "RGBTable" in answered.text
    assert_error(service.client.post("/xmp", json={"grade": GRADE, "kind": "recipe"}), 422, "invalid_field")


@pytest.mark.parametrize(("kind", "named"), [("preset", {"bloom"}), ("profile", {"bloom", "sharpen", "structure"})])
def test_what_lightroom_cannot_hold_is_named(service: Service, kind: str, named: set[str]) -> None:
    spatial = {"adjust": {"bloom": 5, "sharpen": 10, "structure": 15}}
    headers = service.client.post("/xmp", json={"grade": spatial, "kind": kind}).headers
    assert set(headers["x-recolor-spatial"].split(", ")) == named
