"""A real server over a real recolorer with a scripted engine, in a thread."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from socket import create_connection, create_server, socket
from time import monotonic, sleep
from typing import Any

import httpx

from app.api import create_app
from app.api.server import server as make_server
from app.events import NO_EVENTS, Events
from app.serving import BatchedStudent, MemoryCache, Recolorer
from app.settings import Settings
from tests.serving.engines import Factory, ScriptedEngine
from tests.serving.teachers import ScriptedTeacher, absent

PATIENCE = 240.0
"""Seconds after which what should have happened has not; the machine may be busy, and a test has 300."""


@dataclass
class Service:
    """A server that runs. `client` keeps its connections; `engine` and `teacher` are what answers behind it."""

    port: int
    client: httpx.Client
    engine: ScriptedEngine
    teacher: ScriptedTeacher
    started: threading.Event
    failures: list[Exception]

    def recolor(
        self, intent: Any = "golden hour", headers: dict[str, str] | None = None, **fields: Any
    ) -> httpx.Response:
        # Not httpx's `json=`: it refuses lone surrogates.
        body = json.dumps({"intent": intent, **fields})
        return self.client.post(
            "/recolor", content=body, headers={"Content-Type": "application/json", **(headers or {})}
        )

    def post_bare(self, connection: socket, intent: str, headers: str = "") -> None:
        """Ask without waiting for the answer."""
        body = json.dumps({"intent": intent}).encode()
        head = (
            f"POST /recolor HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{headers}\r\n"
        )
        connection.sendall(head.encode() + body)

    def connect(self) -> socket:
        """A bare connection, for what no HTTP client would send."""
        return create_connection(("127.0.0.1", self.port), timeout=PATIENCE)


PATIENT = {"deadline_seconds": 60, "student_seconds": 30, "render_seconds": 120}
"""Settings under which a machine that is busy still answers in time; a student and then a teacher, too."""

PATIENT_PROCESS = {f"RECOLOR_{name.upper()}": str(value) for name, value in PATIENT.items()}
"""The same, as the environment of a process."""


@contextmanager
def served(
    engine: ScriptedEngine | None = None,
    teacher: ScriptedTeacher | None = None,
    factory: Factory | None = None,
    wait: bool = True,
    events: Events = NO_EVENTS,
    **changes: Any,
) -> Iterator[Service]:
    """Serve until the block ends; with `wait`, from when the student has warmed up."""
    engine = engine or ScriptedEngine()
    teacher = teacher or absent()
    settings = Settings(model=engine.model, **{"rate_limit": "", **PATIENT, **changes})
    student = BatchedStudent(factory or (lambda: engine), settings)
    recolorer = Recolorer(student, teacher, MemoryCache(settings.cache_entries), settings, events)
    over, failures = threading.Event(), []

    def started(error: Exception | None) -> None:
        failures.extend([error] if error else [])
        over.set()

    server = make_server(create_app(recolorer, settings, started, events), settings)
    listener = create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        if wait:
            assert over.wait(PATIENCE)
            engine.batches.clear()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
            yield Service(port, client, engine, teacher, over, failures)
    finally:
        engine.gate.set()
        server.should_exit = True
        thread.join(PATIENCE)
    assert not thread.is_alive()


def read_response(connection: socket) -> httpx.Response:
    """The next response on a bare connection."""
    raw = HTTPResponse(connection)
    raw.begin()
    return httpx.Response(raw.status, headers=raw.getheaders(), content=raw.read())


def until(condition: Callable[[], bool]) -> None:
    """Return as soon as the condition holds."""
    end = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < end, "it never happened"
        sleep(0.005)


def assert_error(response: httpx.Response, status: int, code: str) -> str:
    """The one shape of every error. Returns its message."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"code", "message", "request_id"}
    assert body["error"]["code"] == code
    assert body["error"]["request_id"] == response.headers["x-request-id"]
    return body["error"]["message"]
