"""`recolor canary` against a real Prometheus that scrapes three real services: stable, one as good, one that is worse.

The worse one is the weak student decoding freely, which fails on every filter, with a teacher that is slow and fails: a
whole look takes longer, by more than a busy machine takes, and lacks its filter, and where only the filter is asked for
nothing is answered.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen

import httpx
import pytest
from click.testing import Result
from typer.testing import CliRunner

from app import cli as command_line
from app.canary import CanaryError, read_criteria
from app.canary import Prometheus as Asked
from app.cli import console
from app.cli.canary import show
from tests.api.service import until
from tests.canary.test_verdict import judged, tracks
from tests.helm.monitored import Prometheus, prometheus, ready, starting
from tests.students.tiny import Tiny
from tests.teacher.openai_server import Fail, OpenAIServer

REQUESTS = 210
ALIKE = ["--most", "errors=0.1", "--most", "fallbacks=0.1", "--most", "latency=1000", "--looks", "1"]
"""So many requests cannot show that nothing is worse by as little as the chart tolerates."""

pytestmark = pytest.mark.timeout(600)  # three services load their students


def load(service: httpx.Client, at_once: int) -> None:
    """Looks, each asked once; of every third only the filter."""

    def ask(number: int) -> None:
        tools = {} if number % 3 else {"tools": ["filter"]}
        service.post("/recolor", json={"intent": f"look number {number}", **tools})

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(ask, range(REQUESTS)))


@pytest.fixture(scope="module")
def watched(
    program: Callable[[str], str], tiny: Tiny, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """When it has seen all of the load. A job is a pair of tracks: `equal`, `worse`; `alone` has no canary."""
    binary, folder = program("prometheus"), tmp_path_factory.mktemp("canary")
    with OpenAIServer() as teacher, ExitStack() as stack:
        teacher.reply(lambda call: True, Fail(400, delay=5.0))
        common = {"RECOLOR_MODEL_STORE": str(tiny.store), "RECOLOR_MODEL": tiny.model, "RECOLOR_THREADS": "1"}
        worse = {
            "RECOLOR_DECODING": "free",
            "RECOLOR_TEACHER_BASE_URL": teacher.base_url,
            "RECOLOR_TEACHER_API_KEY": teacher.key,
            "RECOLOR_TEACHER_TYPICAL_SECONDS": "5",
            "RECOLOR_TEACHER_CONCURRENCY": "128",
            "RECOLOR_TEACHER_BREAKER_FAILURES": "1000000",
        }
        settings = {"stable": {}, "equal": {}, "worse": worse}
        processes = {
            name: stack.enter_context(starting(folder / name, **common, **own)) for name, own in settings.items()
        }
        services = {name: stack.enter_context(ready(process)) for name, process in processes.items()}
        for service in services.values():
            for tools in (["adjust", "filter"], ["filter"]):  # so that every series is there before it is looked at
                service.post("/recolor", json={"intent": "warm up", "tools": tools})
        at = {name: service.base_url.netloc.decode() for name, service in services.items()}
        jobs = {job: {"stable": at["stable"], "canary": at[job]} for job in ("equal", "worse")}
        jobs["alone"] = {"stable": at["stable"]}
        server = stack.enter_context(prometheus(binary, folder / "prometheus", jobs))
        counter = 'recolor_request_duration_seconds_count{route="/recolor"}'
        targets = sum(map(len, jobs.values()))
        until(lambda: server.has_counted(counter, 2 * targets))
        with ThreadPoolExecutor() as pool:
            list(pool.map(load, (services["stable"], services["equal"]), (2, 2)))
        load(services["worse"], 70)  # by itself: it must not slow the others down
        until(lambda: server.has_counted(counter, (2 + REQUESTS) * targets))
        until(lambda: server.knows_well(counter))
        # Argo's own numbers are there, too: those of `alone` cannot be.
        until(lambda: server.sees('count({__name__=~"recolor:canary_.*"})', 2 * len(read_criteria())))
        yield server


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console.out, "_width", 160)
    monkeypatch.delenv("RECOLOR_PROMETHEUS_KEY", raising=False)


def canary(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(command_line.cli, ["canary", "--prometheus", url, *arguments])


def findings(result: Result) -> dict[str, dict[str, object]]:
    return {it["name"]: it for it in json.loads(result.stdout)["criteria"]}


def test_a_canary_as_good_as_stable_is_promoted(watched: Prometheus) -> None:
    result = canary(watched.url, "--job", "equal", *ALIKE)
    assert result.exit_code == 0, result.output
    assert "PROMOTE" in result.stdout
    assert "helm upgrade recolor helm/ --reset-then-reuse-values --set model=tiny@1 --set canary.enabled=false" in (
        result.stdout
    )
    assert "nan" not in result.stdout.lower()


def test_so_few_requests_do_not_show_that_it_is_within_the_charts_limits(watched: Prometheus) -> None:
    result = canary(watched.url, "--job", "equal")
    assert result.exit_code == 10, result.output
    assert "WAIT" in result.stdout
    assert "Look again later, or over a longer --window.\n" in result.stdout
    assert "canary.weight" not in result.stdout, "it has half of the requests"


def test_a_worse_canary_is_rolled_back_for_each_thing_that_it_is_worse_in(watched: Prometheus) -> None:
    result = canary(watched.url, "--job", "worse", "--looks", "1", "--format", "json")
    assert result.exit_code == 20, result.output
    found = findings(result)
    assert {name: it["judged"] for name, it in found.items()} == {
        "errors": "worse",
        "latency": "worse",
        "fallbacks": "worse",
        "degraded": "good",
        "engine": "good",
    }
    assert found["errors"]["canary"] == pytest.approx(1 / 3, abs=0.02)
    written = json.loads(result.stdout)
    assert (written["verdict"], written["model"], written["job"]) == ("roll back", "tiny@1", "worse")
    assert len(written["reasons"]) == 3


def test_the_table_names_the_verdict_on_each_criterion_and_the_command_to_run(watched: Prometheus) -> None:
    shown = canary(watched.url, "--job", "worse", "--looks", "1", "--release", "prod").stdout
    rows = {line.split()[0]: line.split()[-1] for line in shown.splitlines() if line.strip()}
    assert rows | {"errors": "worse", "latency": "worse", "fallbacks": "worse", "degraded": "good"} == rows
    assert "helm upgrade prod helm/ --reset-then-reuse-values --set canary.enabled=false" in shown


@pytest.mark.parametrize("job", ["equal", "worse"])
def test_its_differences_are_those_that_argo_and_the_alerts_go_by(watched: Prometheus, job: str) -> None:
    """Once the rules have seen the last of the load, too: on a busy machine they are behind."""

    def agree() -> bool:
        found = findings(canary(watched.url, "--job", job, "--format", "json"))
        ours = {it.name: found[it.name]["difference" if it.counts else "canary"] for it in read_criteria()}
        recorded = {it.name: value for it in read_criteria() for _, value in watched.ask(f'{it.series}{{job="{job}"}}')}
        return recorded == pytest.approx(ours, rel=0.05, abs=0.01)

    until(agree)


def test_a_canary_that_waits_is_given_more_than_it_had_and_no_number_that_may_be_less(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(judged(tracks(requests=(4000, 1000), errors=(4, 10))), "prod")
    said = capsys.readouterr().out
    assert "WAIT" in said
    assert "or give it more than the 20% of the requests that it had:" in said
    assert "helm upgrade prod helm/ -n looks --reset-then-reuse-values --set canary.weight=N" in said
    for asked in ((1000, 0), (1000, 1000), (213, 211)):
        show(judged(tracks(requests=asked, errors=(0, 0)), looks=10**6), "prod")
        said = capsys.readouterr().out
        assert "WAIT" in said
        assert "canary.weight" not in said


def test_too_few_requests_wait_and_a_bad_student_waits_with_them(watched: Prometheus) -> None:
    result = canary(watched.url, "--job", "worse", "--min-requests", "100000")
    assert result.exit_code == 10
    # 210, and what Prometheus adds for the moments before its first look and after its last: of ten, at most 13%.
    assert re.search(r"too few requests: canary was asked 2[1-3]\d\b", result.stdout), result.stdout


def test_without_a_canary_it_says_so_and_a_watch_ends_with_its_looks(watched: Prometheus) -> None:
    result = canary(watched.url, "--job", "alone", "--watch", "--every", "0.1", "--looks", "3", "--format", "json")
    assert result.exit_code == 10
    assert "no canary traffic in the window" in json.loads(result.stdout)["reasons"][0]
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == [
        "wait, at most 2 more looks",
        "wait, at most 1 more looks",
    ]


def test_several_releases_are_listed(watched: Prometheus) -> None:
    result = canary(watched.url)
    assert result.exit_code == 1
    assert "alone, equal, worse" in result.stderr
    assert "no such release" in canary(watched.url, "--job", "other").stderr


# Servers that do not answer as they should


Answer = Callable[[BaseHTTPRequestHandler], tuple[int, str]]


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer(self)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None: ...

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_port}"
    finally:
        listener.shutdown()
        listener.server_close()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, "<html>welcome</html>", "does not answer as a Prometheus server does (status 200)"),
        (302, "", "does not answer as a Prometheus server does (status 302)"),
        (200, '{"status": "success", "data": null}', "does not answer as a Prometheus server does (status 200)"),
        (404, '{"detail": "no"}', "does not answer as a Prometheus server does (status 404)"),
        (503, '{"status": "error", "error": "out of memory"}', "refuses the query: out of memory"),
        (401, "who are you", "wants another key (401): set RECOLOR_PROMETHEUS_KEY"),
        (200, '{"status": "success", "data": {"result": [0, "1"]}}', "has seen no Recolor"),
    ],
)
def test_what_is_wrong_with_a_server_is_said_in_a_line(status: int, body: str, said: str) -> None:
    def answer(request: BaseHTTPRequestHandler) -> tuple[int, str]:
        nothing = said == "has seen no Recolor" and "time%28%29" not in request.path
        return status, '{"status": "success", "data": {"result": []}}' if nothing else body

    with server(answer) as url:
        result = canary(url)
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1


def test_a_server_that_is_down_or_slow_is_named_without_its_password() -> None:
    result = canary("http://user:secret@127.0.0.1:1/path")
    assert result.exit_code == 1
    assert "http://127.0.0.1:1/path cannot be reached" in result.stderr
    assert "secret" not in result.output
    assert "is no address" in canary("http://user:secret@ä..b").stderr
    over = threading.Event()
    with server(lambda _: (200, str(over.wait(30)))) as url, Asked(url, seconds=0.1) as slow:
        with pytest.raises(CanaryError, match=r"has not answered for 0\.1 s"):
            slow.now()
        over.set()


def test_a_key_is_shown_to_the_server_and_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str | None] = []

    def answer(request: BaseHTTPRequestHandler) -> tuple[int, str]:
        shown.append(request.headers["Authorization"])
        return 403, ""

    monkeypatch.setenv("RECOLOR_PROMETHEUS_KEY", "a-secret-key")
    with server(answer) as url:
        assert "a-secret-key" not in canary(url).output
    assert shown == ["Bearer a-secret-key"]


def test_a_watch_outlasts_a_server_that_is_away_for_a_moment(watched: Prometheus) -> None:
    away = iter([True, True])

    def answer(request: BaseHTTPRequestHandler) -> tuple[int, str]:
        if next(away, False):
            return 502, "bad gateway"
        with urlopen(watched.url.rstrip("/") + request.path) as forwarded:
            return 200, forwarded.read().decode()

    with server(answer) as url:
        result = canary(url, "--job", "worse", "--watch", "--every", "0.1")
    assert result.exit_code == 20
    assert result.stderr.count("(status 502)") == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--window", "soon"],
        ["--window", "0m"],
        ["--most", "errors"],
        ["--most", "degraded=1"],
        ["--most", "speed=2"],
        ["--looks", "0"],
        ["--confidence", "1"],
        ["--format", "xml"],
    ],
)
def test_wrong_options_are_named(arguments: list[str]) -> None:
    result = canary("http://127.0.0.1:1", *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr


@pytest.mark.parametrize("url", ["prometheus:9090", "ftp://prometheus", "http://"])
def test_an_address_must_be_one(url: str) -> None:
    assert canary(url).exit_code == 2
