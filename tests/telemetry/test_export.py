"""What becomes of spans on their way out, whatever the collector does, and of the process when there are none."""

import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest
from PIL import Image
from structlog.testing import capture_logs

from app.students import Answer
from app.telemetry import otlp, traces
from tests.api.service import PATIENCE, served, until
from tests.api.test_errors import BrokenTeacher
from tests.api.test_process import ask, process
from tests.ports import free_port
from tests.serving.engines import ScriptedEngine
from tests.telemetry.collector import Collector


@pytest.fixture(autouse=True)
def _off_afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    # A busy machine takes longer than a service gives a collector.
    for limit in ("EXPORT_SECONDS", "CLOSE_SECONDS"):
        monkeypatch.setattr(otlp, limit, PATIENCE)
    yield
    traces.shutdown()


def span(name: str = "work") -> None:
    with traces.span(name):
        pass


def test_a_collector_that_fails_is_one_line_and_one_when_it_is_back() -> None:
    with Collector() as collector, capture_logs() as lines:
        collector.status = 403
        traces.configure(collector.url.replace("//", "//user:hidden@"), 1.0, {})
        for tries in range(1, 4):
            span("lost")
            until(lambda tries=tries: len(collector.asked) >= tries)
        collector.status = 200
        span("kept")
        until(lambda: len(lines) == 2)
        traces.shutdown()
    assert [line["event"] for line in lines] == [
        "traces are lost: the collector does not take them",
        "the collector takes traces again",
    ]
    assert (lines[0]["log_level"], lines[0]["reason"]) == ("warning", "HTTP 403")
    assert "hidden" not in repr(lines)
    assert collector.spans[-1].name == "kept"


def test_where_there_is_no_collector_spans_are_lost_and_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "CLOSE_SECONDS", 0.5)
    traces.configure(f"http://127.0.0.1:{free_port()}", 1.0, {})
    for _ in range(5000):  # more than are kept
        span()
    traces.shutdown()


def test_a_collector_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "CLOSE_SECONDS", 0.5)
    with Collector(hangs=True) as collector:
        traces.configure(collector.url, 1.0, {})
        span()
        until(lambda: bool(collector.asked))
        span()
        traces.shutdown()


def test_a_collector_that_hangs_holds_up_neither_a_request_nor_the_end() -> None:
    with Collector(hangs=True) as collector, process(RECOLOR_TRACES_ENDPOINT=collector.url) as running:
        url = running.wait_until_ready()
        assert ask(url, "dusk").status_code == 200
        until(lambda: bool(collector.asked))
        assert ask(url, "dawn").status_code == 200
        code, _, err = running.end(signal.SIGTERM)
    assert code == 0
    assert "Traceback" not in err


def test_an_address_may_name_the_path() -> None:
    with Collector() as collector:
        traces.configure(f"{collector.url}/v1/traces", 1.0, {})
        span()
        traces.shutdown()
    assert [path for path, _ in collector.asked] == ["/v1/traces"]


def test_what_is_not_sampled_is_not_sent_but_has_an_id() -> None:
    with Collector() as collector:
        traces.configure(collector.url, 0.0, {})
        with traces.request("POST /recolor", {}, "") as server:
            assert traces.trace_id() == server.trace_id
            assert len(server.trace_id) == 32
            span()
        assert traces.trace_id() == ""
        traces.shutdown()
    assert collector.asked == []


def test_an_error_leaves_its_type_and_its_place_and_not_its_message() -> None:
    with Collector() as collector:
        traces.configure(collector.url, 1.0, {})
        with suppress(ValueError), traces.span("work"):
            raise ValueError("a secret wish")
        traces.shutdown()
    (work,) = collector.spans
    assert (work.failed, work.facts["error.type"], work.status_message) == (True, "ValueError", "")
    ((name, facts),) = work.events
    assert (name, facts["exception.type"]) == ("exception", "ValueError")
    assert "test_export.py" in facts["exception.stacktrace"]
    assert "secret" not in repr(work)


def test_a_photo_is_rendered_by_a_process_that_does_not_know_of_traces() -> None:
    photo = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(photo, "png")
    with Collector() as collector:
        traces.configure(collector.url, 1.0, {})
        with served() as service:
            rendered = service.client.post("/render", files={"image": photo.getvalue()}, data={"intent": "dusk"})
            assert rendered.status_code == 200
        traces.shutdown()
    (server,) = [span for span in collector.spans if span.name == "POST /render"]
    stages = [span.name for span in collector.spans if span.parent_id == server.span_id]
    assert stages == ["cache", "queue", "generate", "validate", "render"]


def test_what_nobody_expected_is_in_the_trace_without_its_message() -> None:
    engine = ScriptedEngine(script={("a secret wish", "filter"): Answer(None)})
    with Collector() as collector:
        traces.configure(collector.url, 1.0, {})
        with served(engine, BrokenTeacher()) as service:
            error = service.recolor("a secret wish").json()["error"]
        traces.shutdown()
    (server,) = [span for span in collector.spans if span.name == "POST /recolor"]
    assert (server.failed, server.facts["http.response.status_code"]) == (True, 500)
    assert (server.trace_id, error["code"]) == (error["trace_id"], "internal")
    assert "secret" not in repr(collector.spans)


def test_without_the_libraries_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "app.telemetry.otlp")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ValueError, match=r"pip install 'recolor\[traces\]'"):
        traces.configure("http://collector:4318", 1.0, {})
    assert not traces.on()


SERVED = """
import sys
import fastapi
before = {name for name in sys.modules if name.startswith("opentelemetry")}
from tests.api.service import served
with served() as service:
    error = service.recolor("").json()["error"]
    assert service.recolor("dusk").status_code == 200
assert error.keys() == {"code", "message", "request_id"}, error
ours = {"requests", "google.protobuf", "app.telemetry.otlp"} & sys.modules.keys()
print(sorted(ours | {name for name in sys.modules if name.startswith("opentelemetry")} - before))
"""


def test_off_nothing_is_imported_for_traces_by_a_service_that_has_answered() -> None:
    """The web framework imports OpenTelemetry's interface by itself; nothing is added to that."""
    done = subprocess.run([sys.executable, "-c", SERVED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
