"""The service as a process: how it starts, what it writes, how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.forked import Forked
from tests.api.service import PATIENCE, PATIENT_PROCESS, assert_error, until
from tests.ports import free_port

QUIET = {"RECOLOR_MODEL": "scripted@1", "RECOLOR_PORT": "0", "RECOLOR_EVENTS_URL": "none", **PATIENT_PROCESS}


class Process:
    """`lines` are what it wrote to standard output until it was ready; `end` waits for the rest."""

    def __init__(self, process: "subprocess.Popen[str] | Forked") -> None:
        self.process = process
        self.lines: list[str] = []

    def wait_until_ready(self) -> str:
        """Its address, as it announces it."""
        assert self.process.stdout
        self.lines = [self.process.stdout.readline(), self.process.stdout.readline()]
        assert "ready at http://" in self.lines[0], self.end()
        return self.lines[0].split()[-1]

    def end(self, with_signal: signal.Signals | None = None) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        if with_signal is not None:
            self.process.send_signal(with_signal)
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, "".join(self.lines) + out, err


@contextmanager
def process(new: bool = False, **environment: str) -> Iterator[Process]:
    """A service of its own; `new` also in a Python that has just been started, for how it ends and what it takes."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RECOLOR_")}
    given = inherited | QUIET | environment
    command = [sys.executable, "-m", "tests.api.process"]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = Process(subprocess.Popen(command, env=given, **streams) if new else Forked(given))
    try:
        yield started
    finally:
        started.process.kill()
        started.process.communicate()


def logged(err: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in err.splitlines()]


def get(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, timeout=PATIENCE)


def ask(url: str, intent: str, **headers: str) -> httpx.Response:
    return httpx.post(f"{url}/recolor", json={"intent": intent}, headers=headers, timeout=PATIENCE)


def test_it_says_where_it_is_and_how_to_ask() -> None:
    with process() as running:
        url = running.wait_until_ready()
        assert get(f"{url}/readyz").status_code == 200
        assert f'curl {url}/recolor --json \'{{"intent": "golden hour"}}\'' in running.lines[1]


def test_what_is_in_flight_is_finished_on_sigterm(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with process(new=True, GATE=str(gate)) as running, ThreadPoolExecutor() as threads:
        url = running.wait_until_ready()
        answer = threads.submit(ask, url, "slow dusk")
        until(lambda: "recolor_inflight_requests 1.0" in get(f"{url}/metrics").text)
        running.process.send_signal(signal.SIGTERM)
        until(lambda: not reachable(url))
        gate.touch()
        code, _, err = running.end()

        assert answer.result().status_code == 200
        assert answer.result().json()["failed"] == {}
    assert code == 0
    assert "Traceback" not in err


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("student", ["good", "endless"])
def test_it_ends_without_a_complaint(with_signal: signal.Signals, student: str) -> None:
    port = free_port()
    with process(new=True, STUDENT=student, RECOLOR_PORT=str(port)) as running:
        until(lambda: reachable(f"http://127.0.0.1:{port}"))
        code, _, err = running.end(with_signal)
    assert code == 0
    assert "Traceback" not in err
    logged(err)


def test_it_is_alive_while_a_large_student_loads() -> None:
    port = free_port()
    with process(STUDENT="endless", RECOLOR_PORT=str(port)):
        url = f"http://127.0.0.1:{port}"
        until(lambda: reachable(url))
        assert_error(get(f"{url}/readyz"), 503, "unavailable")
        assert_error(ask(url, "dusk"), 503, "unavailable")


def test_a_damaged_model_is_named_and_nothing_is_served() -> None:
    with process(STUDENT="damaged") as running:
        code, out, err = running.end()
    assert code == 1
    assert err.splitlines()[-1] == "recolor: model.safetensors is damaged; check it out again"
    assert "Traceback" not in err
    assert "ready" not in out


def test_a_student_that_breaks_while_loading_ends_the_process() -> None:
    with process(STUDENT="broken") as running:
        code, out, err = running.end()
    assert code == 1
    assert err.splitlines()[-1] == "recolor: the student scripted@1 cannot be started: out of memory"
    assert "ready" not in out


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_without_a_key_it_listens_on_loopback_only(host: str) -> None:
    with process(RECOLOR_HOST=host) as running:
        code, _, err = running.end()
    assert code == 1
    assert host in err
    assert "RECOLOR_API_KEYS" in err
    assert "RECOLOR_ALLOW_OPEN" in err


@pytest.mark.parametrize("setting", [{"RECOLOR_ALLOW_OPEN": "true"}, {"RECOLOR_API_KEYS": "key"}])
def test_beyond_loopback_it_listens_with_a_key_or_when_told_to(setting: dict[str, str]) -> None:
    with process(RECOLOR_HOST="0.0.0.0", **setting) as running:
        url = running.wait_until_ready()
        assert ask(url, "dusk", Authorization="Bearer key").status_code == 200
        assert ("$KEY" in running.lines[1]) is ("RECOLOR_API_KEYS" in setting)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2"])
def test_loopback_has_many_names(host: str) -> None:
    with process(RECOLOR_HOST=host) as running:
        assert get(running.wait_until_ready() + "/healthz").status_code == 200


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with process(RECOLOR_PORT=port) as running:
            code, _, err = running.end()
    assert code == 1
    assert f"127.0.0.1:{port}" in err
    assert "RECOLOR_PORT" in err


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"RECOLOR_HOST": "no.such.host.invalid"}, "RECOLOR_HOST"),
        ({"RECOLOR_RATE_LIMIT": "often"}, "RECOLOR_RATE_LIMIT"),
        ({"RECOLOR_REDIS_URL": "http://:hunter2@redis:6379"}, "RECOLOR_REDIS_URL"),
        ({"RECOLOR_TRACES_ENDPOINT": "collector:4318"}, "RECOLOR_TRACES_ENDPOINT"),
        ({"RECOLOR_EXPERIMENT": "looks", "RECOLOR_VARIANTS": "t:5=teacher"}, "RECOLOR_TEACHER_API_KEY"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(setting: dict[str, str], named: str) -> None:
    with process(**setting) as running:
        code, _, err = running.end()
    assert code == 1
    assert named in err
    assert "Traceback" not in err


def test_every_request_is_one_line_of_json_without_the_intent_or_the_key() -> None:
    with process(RECOLOR_API_KEYS="a-secret-key") as running:
        url = running.wait_until_ready()
        ask(url, "an unmistakable wish", **{"Authorization": "Bearer a-secret-key", "X-Request-ID": "good"})
        ask(url, "an unmistakable wish", **{"Authorization": "Bearer not-that-key", "X-Request-ID": "closed"})
        ask(url, "an unmistakable\x00 wish", **{"Authorization": "Bearer a-secret-key", "X-Request-ID": "wrong"})
        get(f"{url}/healthz?q=unmistakable", **{"X-Request-ID": "probe"})
        _, out, err = running.end(signal.SIGTERM)

    lines = {line["request_id"]: line for line in logged(err) if line["event"] == "request"}
    assert lines.keys() == {"good", "closed", "wrong", "probe"}
    good = lines["good"]
    assert (good["route"], good["method"], good["status"], good["level"]) == ("/recolor", "POST", 200, "info")
    assert (good["model"], good["cached"], good["failed"]) == ("scripted@1", False, {})
    assert set(good["sources"].values()) == {"student"}
    assert good["duration_ms"] > 0
    assert (lines["closed"]["status"], lines["closed"]["error"]) == (401, "unauthorized")
    assert (lines["wrong"]["status"], lines["wrong"]["error"]) == (422, "invalid_field")
    for private in ("unmistakable", "a-secret-key", "not-that-key"):
        assert private not in out + err


def test_intents_are_logged_at_debug() -> None:
    with process(RECOLOR_LOG_LEVEL="debug", RECOLOR_API_KEYS="a-secret-key") as running:
        ask(running.wait_until_ready(), "an unmistakable wish", Authorization="Bearer a-secret-key")
        _, _, err = running.end(signal.SIGTERM)

    lines = [line for line in logged(err) if "an unmistakable wish" in line.values()]
    assert [line["level"] for line in lines] == ["debug"]
    assert "a-secret-key" not in err


def test_only_what_is_worse_is_logged_at_warning() -> None:
    with process(RECOLOR_LOG_LEVEL="warning") as running:
        ask(running.wait_until_ready(), "dusk")
        _, _, err = running.end(signal.SIGTERM)
    assert err == ""


def test_large_bodies_are_never_in_memory() -> None:
    def memory(url: str) -> float:
        lines = get(f"{url}/metrics").text.splitlines()
        return float(next(line for line in lines if line.startswith("process_resident_memory_bytes")).split()[1])

    def pieces() -> Iterator[bytes]:
        yield from [b"x" * 50_000] * 1000

    with process(new=True) as running:
        url = running.wait_until_ready()
        ask(url, "dusk")
        before = memory(url)
        for length in ({}, {"Content-Length": "50000000"}):
            headers = {"Content-Type": "application/json", **length}
            for path, status in (("/recolor", 413), ("/nothing", 404)):
                assert httpx.post(url + path, content=pieces(), headers=headers, timeout=PATIENCE).status_code == status
        assert memory(url) - before < 10_000_000


def reachable(url: str) -> bool:
    try:
        return get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:  # also of a server that is just ending
        return False
