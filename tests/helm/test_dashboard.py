"""Every query of the dashboard, asked of a real Prometheus that scrapes two real services under a known load."""

import json
import math
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.api.service import until
from tests.helm.chart import CHART, MONITORING, render
from tests.helm.load import Load
from tests.helm.monitored import Prometheus, prometheus, ready, starting
from tests.teacher.openai_server import Fail, OpenAIServer, Say

DASHBOARD = json.loads((CHART / "files/dashboard.json").read_text(encoding="utf-8"))
PANELS: dict[str, list[dict[str, str]]] = {
    panel["title"]: panel["targets"] for panel in DASHBOARD["panels"] if panel["type"] != "row"
}
QUERIES = [(title, target["expr"]) for title, targets in PANELS.items() for target in targets]

WARM_UP = Load(new=1, again=1, foreign=1, mistakes=1, started=1, exported=1)
"""Of everything one, so that each series is there when Prometheus begins to look."""
LOADS = {
    "stable": Load(new=8, again=8, foreign=4, mistakes=2, started=4, exported=1),
    "canary": Load(new=8, again=8, foreign=4, mistakes=2, started=4, exported=1),
}
MODEL = "recolor-mini@1"

pytestmark = pytest.mark.timeout(600)  # two services load their students


@pytest.fixture(scope="module")
def loaded(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """What Prometheus knew once it had seen both services before and after their loads."""
    binary, folder = program("prometheus"), tmp_path_factory.mktemp("dashboard")
    with OpenAIServer() as teacher, ExitStack() as stack:
        teacher.reply("adjust", Say.settings({"temperature": 30}))
        teacher.reply("filter", Say.settings({"name": "winter", "intensity": 70}))
        teacher.reply("selective_adjust", Fail(400))
        settings = {
            "RECOLOR_TEACHER_BASE_URL": teacher.base_url,
            "RECOLOR_TEACHER_API_KEY": teacher.key,
            "RECOLOR_TEACHER_TYPICAL_SECONDS": "0.05",
            "RECOLOR_EVENTS_URL": "",
        }
        processes = {track: stack.enter_context(starting(folder / track, **settings)) for track in LOADS}
        services = {track: stack.enter_context(ready(process)) for track, process in processes.items()}
        for track, it in services.items():
            WARM_UP.run(it, f"warm {track}")
        for it in services.values():
            until(lambda it=it: "recolor_projects_exported_total{" in it.get("/metrics").text)
        instances = {track: it.base_url.netloc.decode() for track, it in services.items()}
        server = stack.enter_context(prometheus(binary, folder / "prometheus", {"recolor": instances}))
        exported = "recolor_projects_exported_total"
        until(lambda: server.has_counted(exported, len(LOADS) * WARM_UP.exported))
        for track, load in LOADS.items():
            load.run(services[track], track)
        until(lambda: server.has_counted(exported, sum(WARM_UP.exported + load.exported for load in LOADS.values())))
        asked = sum(it.answered + it.mistakes for load in LOADS.values() for it in (WARM_UP, load))
        counter = 'recolor_request_duration_seconds_count{route="/recolor"}'
        until(lambda: server.has_counted(counter, asked))
        until(lambda: server.knows_well(counter))
        yield server.when("count(up == 1) * count(recolor:canary_degraded:max)", len(LOADS))


def concrete(query: str) -> str:
    """As Grafana asks it, looking back five minutes."""
    return query.replace("$__rate_interval", "5m").replace('"$job"', '".+"')


def values(server: Prometheus, title: str, target: int = 0) -> dict[str, float]:
    """A panel's values by its legend."""
    shown = PANELS[title][target]
    found = server.ask(concrete(shown["expr"]))
    return {_legend(shown["legendFormat"], labels): value for labels, value in found}


def seen(found: dict[str, float]) -> dict[str, float]:
    """Without what is only there lest its first event be lost."""
    return {name: value for name, value in found.items() if value}


def _legend(form: str, labels: dict[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda name: labels[name[1]], form)


def shares(of: dict[str, float]) -> dict[str, float]:
    return {name: value / sum(of.values()) for name, value in of.items()}


def about(of: dict[str, float]) -> Any:
    """Two targets are scraped at two times, so that their rates are a little apart."""
    return pytest.approx(of, rel=0.1)


LOAD = LOADS["stable"]
"""The canary's is the same, so that all shares are as of one."""


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[f"{title} {n}" for n, (title, _) in enumerate(QUERIES)])
def test_every_query_gives_finite_values(loaded: Prometheus, title: str, query: str) -> None:
    found = loaded.ask(concrete(query))
    assert found, query
    assert all(math.isfinite(value) for _, value in found), (query, found)


def test_what_is_asked_for_is_named_by_the_legend(loaded: Prometheus) -> None:
    for title, targets in PANELS.items():
        for number, target in enumerate(targets):
            found = loaded.ask(concrete(target["expr"]))
            assert len(values(loaded, title, number)) == len(found), f"{title}: two lines with one name"


def test_requests_are_counted_by_status_and_track(loaded: Prometheus) -> None:
    by_status = shares(seen(values(loaded, "Requests by status")))
    every = 2 * (LOAD.answered + LOAD.mistakes)
    assert by_status == about(
        {f"200 {track}": LOAD.answered / every for track in LOADS}
        | {f"415 {track}": LOAD.mistakes / every for track in LOADS}
    )
    assert values(loaded, "Not answered") == {"5xx": 0}


def test_sources_are_shared_as_the_load_was(loaded: Prometheus) -> None:
    tools = 3 * LOAD.answered
    expected = {
        "student": 3 * (LOAD.new + LOAD.started) / tools,
        "cache": 3 * LOAD.again / tools,
        "teacher": 2 * LOAD.foreign / tools,
        "failed": LOAD.foreign / tools,
    }
    assert values(loaded, "Tools by source") == about(expected)
    assert math.isclose(sum(values(loaded, "Tools by source").values()), 1)


def test_fallbacks_have_their_reason_and_their_part(loaded: Prometheus) -> None:
    assert seen(values(loaded, "Fallbacks by reason")).keys() == {"low_confidence"}
    part = LOAD.foreign / (LOAD.answered - LOAD.again)
    assert values(loaded, "Fallback ratio, stable and canary") == about(dict.fromkeys(LOADS, part))


def test_latencies_are_in_order_for_both_tracks(loaded: Prometheus) -> None:
    p50, p95, p99 = (list(values(loaded, "Latency, stable and canary", n).values()) for n in range(3))
    for low, middle, high in zip(p50, p95, p99, strict=True):
        assert 0 < low <= middle <= high <= 10
    assert values(loaded, "Stages, p95").keys() >= {"queue", "generate", "validate", "teacher", "cache", "events"}


def test_batches_and_tokens_are_the_students(loaded: Prometheus) -> None:
    """One request after the other: three prompts a batch."""
    assert values(loaded, "Batch size") == about({"mean": 3})
    assert values(loaded, "Tokens").keys() == {MODEL}
    assert values(loaded, "Tokens")[MODEL] > 0


def test_the_teacher_is_counted_and_paid_for(loaded: Prometheus) -> None:
    assert shares(values(loaded, "Calls by outcome")) == about({"ok": 2 / 3, "rejected": 1 / 3})
    tokens = values(loaded, "Tokens of the teacher")
    assert shares(tokens) == about({"prompt": 900 / 1050, "completion": 150 / 1050})
    dollars = 3600 * (tokens["prompt"] * 0.5 + tokens["completion"] * 1.5) / 1e6
    assert values(loaded, "Dollars an hour") == pytest.approx({"at the present rate": dollars}, rel=0.05)
    assert values(loaded, "Breaker") == {"pods that do not call it": 0}


def test_projects_that_were_exported_are_a_part_of_those_that_were_started(loaded: Prometheus) -> None:
    exported, started = WARM_UP.exported + LOAD.exported, WARM_UP.started + LOAD.started
    assert values(loaded, "Completion rate by variant") == pytest.approx({"control": exported / started})


def test_the_state_is_what_it_is(loaded: Prometheus) -> None:
    pods = [labels["instance"] for labels, _ in loaded.ask("recolor_build_info")]
    assert values(loaded, "Students ready") == {"ready": 2}
    assert values(loaded, "Degraded") == {"pods": 0}
    assert values(loaded, "Ready, by pod") == {f"{MODEL} {pod}": 1 for pod in pods}
    assert values(loaded, "Cache reachable") == dict.fromkeys(LOADS, 1)
    assert values(loaded, "Events waiting") == dict.fromkeys(pods, 0)
    firing = [labels["alertname"] for labels, _ in loaded.ask('ALERTS{alertstate="firing"}')]
    assert values(loaded, "Alerts") == {"firing": len(firing)}
    assert set(firing) <= {"RecolorSlow"}, "the machine may be busy"
    assert all(0 < busy < (os.cpu_count() or 1) + 1 for busy in values(loaded, "CPUs busy").values())
    assert all(1e8 < size < 1e10 for size in values(loaded, "Memory").values())
    assert set(values(loaded, "Refused")) == {"content_type"}


def test_the_chart_installs_this_dashboard() -> None:
    config = render(MONITORING).all("ConfigMap")["prod-recolor-dashboard"]
    assert json.loads(config["data"]["recolor.json"]) == DASHBOARD
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_panels_fill_the_grid_without_overlapping() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        taken |= cells
    assert {x for x, _ in taken} == set(range(24))
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
