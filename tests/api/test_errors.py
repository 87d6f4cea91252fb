"""Every error has one shape, and no more in it than the caller may know."""

import pytest
from structlog.testing import capture_logs

from app.students import Answer
from app.teacher import TeacherAnswer
from tests.api.service import Service, assert_error, served
from tests.serving.engines import ScriptedEngine
from tests.serving.teachers import ScriptedTeacher


@pytest.mark.parametrize("path", ["/page/", "/nothing", "/recolor/", "/RECOLOR", "/docs", "/redoc", "/tools/x", "/%00"])
def test_an_unknown_path_is_404(service: Service, path: str) -> None:
    assert_error(service.client.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/recolor", "POST"),
        ("PUT", "/recolor", "POST"),
        ("DELETE", "/recolor", "POST"),
        ("OPTIONS", "/recolor", "POST"),
        ("POST", "/tools", "GET"),
        ("POST", "/healthz", "GET"),
        ("PATCH", "/metrics", "GET"),
    ],
)
def test_another_method_is_405_and_the_right_one_is_named(
    service: Service, method: str, path: str, allowed: str
) -> None:
    response = service.client.request(method, path)
    assert allowed in assert_error(response, 405, "method_not_allowed")
    assert allowed in response.headers["allow"]


def test_cors_is_off(service: Service) -> None:
    origin = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    preflight = service.client.options("/recolor", headers=origin)
    answer = service.recolor("dusk", headers=origin)
    for response in (preflight, answer):
        assert not [name for name in response.headers if name.startswith("access-control-")]


class BrokenTeacher(ScriptedTeacher):
    """Breaks its promise to raise nothing but TeacherError."""

    async def answer(self, intent: str, tool: str, timeout: float) -> TeacherAnswer:  # noqa: ASYNC109
        raise ZeroDivisionError(f"while thinking of {intent}")


def test_what_nobody_expected_is_500_without_internals() -> None:
    engine = ScriptedEngine(script={("a secret wish", "filter"): Answer(None)})
    with served(engine, BrokenTeacher()) as service, capture_logs() as lines:
        response = service.recolor("a secret wish")

        assert "request_id" in assert_error(response, 500, "internal")
        assert not any(inside in response.text for inside in ("secret", "ZeroDivision", "thinking", ".py"))
        assert service.recolor("dusk").status_code == 200

    reports = [line for line in lines if line["event"] == "unexpected error"]
    assert [report["request_id"] for report in reports] == [response.headers["x-request-id"]]
    assert any("cascade.py" in frame for frame in reports[0]["frames"])
    assert not [line for line in lines if "secret" in repr(line) and line["log_level"] != "debug"]
