"""Traces as a collector gets them, from a service that runs as a process of its own."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import httpx
import pytest
from fastapi.responses import Response

from app.grade import TOOLS
from tests.api.service import PATIENCE, until
from tests.api.test_process import logged, process
from tests.teacher.openai_server import Call, Fail, OpenAIServer, Say
from tests.telemetry.collector import Collector, Kept

SERVER = 2
PRIVATE = {"intent": "an unmistakable wish", "project_id": "project-4711", "user_id": "user-0815"}
KEY = "a-secret-key"
SAID = {"Authorization": f"Bearer {KEY}"}
CALLERS_TRACE, CALLERS_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
"""The example of the W3C's recommendation."""


@dataclass
class Traced:
    """What a service did and told: its answers, its log lines, the spans that the collector got."""

    answers: dict[str, httpx.Response]
    lines: list[dict[str, Any]]
    collector: Collector
    teacher: OpenAIServer

    @property
    def requests(self) -> set[str]:
        """The ids of those that have a span."""
        return {span.facts.get("recolor.request_id", "") for span in self.collector.spans}

    @property
    def delivered(self) -> int:
        """Events, as the spans of their deliveries have it."""
        return sum(span.facts["recolor.events"] for span in self.collector.spans if span.name == "events")

    @property
    def taken(self) -> int:
        """Requests that make an event each."""
        return sum(answer.is_success for answer in self.answers.values())

    def server(self, name: str) -> Kept:
        """The span of the request with that id."""
        (span,) = [span for span in self.collector.spans if span.facts.get("recolor.request_id") == name]
        return span

    def children(self, name: str) -> list[Kept]:
        """The spans below it, in the order in which they began."""
        server = self.server(name)
        below = [span for span in self.collector.spans if span.parent_id == server.span_id]
        return sorted(below, key=lambda span: span.start)


@dataclass(frozen=True)
class Held(Fail):
    """An error that is not answered before `go` is set."""

    go: Event = field(default_factory=Event)

    def response(self, call: Call) -> Response:
        assert self.go.wait(PATIENCE)
        return super().response(call)


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """One service for all tests of its traces: everything that they look at is asked for here, and then it ends."""
    folder = tmp_path_factory.mktemp("events")
    answers: dict[str, httpx.Response] = {}
    with Collector() as collector, OpenAIServer() as teacher:
        teacher.reply("filter", Say.settings({"name": "winter", "intensity": 70}))
        environment = {
            "RECOLOR_TRACES_ENDPOINT": collector.url,
            "RECOLOR_API_KEYS": KEY,
            "RECOLOR_TEACHER_RETRIES": "0",
            "RECOLOR_TEACHER_API_KEY": teacher.key,
            "RECOLOR_TEACHER_BASE_URL": teacher.base_url,
            "RECOLOR_EVENTS_URL": f"sqlite:///{folder}/events.db",
            "RECOLOR_EVENTS_FOLDER": str(folder),
            "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=looks",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        with process(**environment) as running, httpx.Client(timeout=PATIENCE, headers=SAID) as client:
            client.base_url = running.wait_until_ready()

            def post(name: str, path: str = "/recolor", headers: dict[str, str] | None = None, **body: Any) -> None:
                answers[name] = client.post(path, headers={"X-Request-ID": name, **(headers or {})}, **body)

            post("fresh", json=PRIVATE)
            post("known", json=PRIVATE)
            post("taught", json={"intent": "in another script"})
            post("wrong", json={"intent": ""})
            post("closed", json=PRIVATE, headers={"Authorization": "Bearer another"})
            sane = f"00-{CALLERS_TRACE}-{CALLERS_SPAN}-01"
            post("continued", json=PRIVATE, headers={"traceparent": sane, "tracestate": "who=knows"})
            post("unwanted", json=PRIVATE, headers={"traceparent": sane[:-1] + "0"})
            post("insane", json=PRIVATE, headers={"traceparent": "00-unmistakable-00f067aa0ba902b7-01"})
            failure = Held(500)
            for tool in TOOLS:
                teacher.reply(tool, failure)
            with ThreadPoolExecutor() as threads:
                threads.submit(post, "failed", json={"intent": "slow and broken"})
                until(lambda: "recolor_inflight_requests 1.0" in client.get("/metrics").text)
                threads.submit(post, "shared", json={"intent": "slow and broken"})
                until(lambda: "recolor_inflight_requests 2.0" in client.get("/metrics").text)
                failure.go.set()
            post("lut", "/lut", json={"intent": PRIVATE["intent"]})
            post("feedback", "/feedback", json={"request_id": "fresh", "event": "exported", "user_id": "user-0815"})
            for path in ("/healthz", "/readyz", "/metrics", "/unknown"):
                client.get(path, headers={"X-Request-ID": "probe"})
            # At its end a service waits for a collector for a moment only.
            told = Traced(answers, [], collector, teacher)
            until(lambda: told.requests >= answers.keys() - {"unwanted"} and told.delivered == told.taken)
            code, _, err = running.end(signal.SIGTERM)
        assert code == 0
        yield Traced(answers, logged(err), collector, teacher)


def test_a_request_is_one_trace_with_a_span_a_stage(traced: Traced) -> None:
    server, stages = traced.server("fresh"), traced.children("fresh")
    assert (server.name, server.kind, server.parent_id, server.failed) == ("POST /recolor", SERVER, "", False)
    assert server.facts["http.response.status_code"] == 200
    assert server.facts["recolor.cached"] is False
    assert server.resource["service.name"] == "recolor"
    assert [stage.name for stage in stages] == ["cache", "queue", "generate", "validate"]
    assert {stage.trace_id for stage in stages} == {server.trace_id}
    assert {stage.facts["recolor.model"] for stage in stages} == {"scripted@1"}
    assert [span for span in traced.collector.spans if span.trace_id == server.trace_id] == [*stages, server]


def test_every_stage_lies_inside_its_request(traced: Traced) -> None:
    for name in ("fresh", "known", "taught", "lut"):
        server = traced.server(name)
        for stage in traced.children(name):
            assert server.start <= stage.start <= stage.end <= server.end, stage


def test_a_known_answer_shows_the_cache_alone(traced: Traced) -> None:
    assert [stage.name for stage in traced.children("known")] == ["cache"]
    assert traced.server("known").facts["recolor.cached"] is True


def test_a_fallback_shows_the_teacher_by_tool_and_its_server_gets_the_trace(traced: Traced) -> None:
    stages = traced.children("taught")
    assert [stage.name for stage in stages] == ["cache", "queue", "generate", "validate", "teacher"]
    assert (stages[-1].facts["recolor.tool"], stages[-1].facts["recolor.outcome"]) == ("filter", "ok")
    call = next(call for call in traced.teacher.calls if call.intent == "in another script")
    assert call.headers["traceparent"].split("-")[1:3] == [stages[-1].trace_id, stages[-1].span_id]


def test_a_student_and_a_teacher_that_fail_are_seen(traced: Traced) -> None:
    server, (cache, generate, *taught) = traced.server("failed"), traced.children("failed")
    assert traced.answers["failed"].status_code == server.facts["http.response.status_code"] == 503
    assert (server.failed, server.facts["error.type"], server.status_message) == (True, "unavailable", "")
    assert (cache.name, generate.name, generate.facts["recolor.outcome"]) == ("cache", "generate", "engine_error")
    outcomes = {stage.facts["recolor.tool"]: stage.facts["recolor.outcome"] for stage in taught}
    assert outcomes == dict.fromkeys(TOOLS, "teacher_error")


def test_a_request_that_shares_anothers_work_leads_to_it(traced: Traced) -> None:
    cache, shared = traced.children("shared")
    assert (cache.name, shared.name) == ("cache", "shared")
    assert shared.links == [traced.server("failed").trace_id] != [shared.trace_id]


def test_a_callers_trace_is_continued_as_the_caller_wishes(traced: Traced) -> None:
    server = traced.server("continued")
    assert (server.trace_id, server.parent_id) == (CALLERS_TRACE, CALLERS_SPAN)
    # A trace that the caller does not sample has no spans here, but its id is in the log.
    assert [span for span in traced.collector.spans if span.facts.get("recolor.request_id") == "unwanted"] == []
    assert line_of(traced, "unwanted")["trace_id"] == CALLERS_TRACE


def test_what_names_no_trace_is_not_taken_for_one(traced: Traced) -> None:
    assert traced.server("insane").parent_id == ""


@pytest.mark.parametrize(
    ("name", "code"), [("wrong", "invalid_field"), ("closed", "unauthorized"), ("failed", "unavailable")]
)
def test_an_error_tells_the_trace_that_the_collector_has(traced: Traced, name: str, code: str) -> None:
    error = traced.answers[name].json()["error"]
    assert error.keys() == {"code", "message", "request_id", "trace_id"}
    assert (error["code"], error["request_id"]) == (code, name)
    assert error["trace_id"] == traced.server(name).trace_id
    assert traced.server(name).failed is (traced.answers[name].status_code >= 500)


def line_of(traced: Traced, name: str) -> dict[str, Any]:
    (line,) = [line for line in traced.lines if line.get("request_id") == name and line["event"] == "request"]
    return line


def test_every_line_of_a_request_has_its_trace(traced: Traced) -> None:
    for name in ("fresh", "known", "taught", "wrong", "failed", "lut", "continued"):
        assert line_of(traced, name)["trace_id"] == traced.server(name).trace_id
    failures = [line for line in traced.lines if line["event"].startswith("teacher call failed")]
    assert {line["trace_id"] for line in failures} == {traced.server("failed").trace_id}


def test_other_routes_are_traced_and_probes_are_not(traced: Traced) -> None:
    servers = {span.name for span in traced.collector.spans if span.kind == SERVER}
    assert servers == {"POST /recolor", "POST /lut", "POST /feedback"}
    assert [stage.name for stage in traced.children("lut")] == ["cache", "lut"]
    probes = [line for line in traced.lines if line.get("request_id") == "probe"]
    assert len(probes) == 4
    assert not [line for line in probes if "trace_id" in line]


def test_events_are_delivered_in_traces_of_their_own(traced: Traced) -> None:
    assert {span.parent_id for span in traced.collector.spans if span.name == "events"} == {""}
    assert traced.delivered == traced.taken > 0


def test_no_span_holds_an_intent_a_key_a_project_or_a_user(traced: Traced) -> None:
    told = repr(traced.collector.spans)
    for private in (*PRIVATE.values(), "in another script", "slow and broken", KEY, traced.teacher.key, "knows"):
        assert private not in told


def test_the_collector_is_asked_as_the_standard_says(traced: Traced) -> None:
    assert {path for path, _ in traced.collector.asked} == {"/v1/traces"}
    for _, headers in traced.collector.asked:
        assert (headers["content-type"], headers["x-tenant"]) == ("application/x-protobuf", "looks")
