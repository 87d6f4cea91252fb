"""One experiment from its settings to its report, with everything real: two students, the teacher's protocol, processes
that end and start again, exports, metrics, the event store.
"""

import json
import re
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.grade import TOOLS
from tests.api.service import PATIENCE, until
from tests.distill.loop.test_experiment import recolor
from tests.end_to_end.test_service import MODEL_STORE, recolor_serve
from tests.teacher.openai_server import OpenAIServer, Say

MODELS = {"control": "recolor-mini@1", "second": "recolor-mini@2", "teacher": "gpt-test"}
PROJECTS = [f"project-{number}" for number in range(24)]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings of a service with an experiment; its model store has the embedded student in two versions."""
    store = tmp_path / "model_store"
    first, second = (store / "students" / "recolor-mini" / version for version in ("1", "2"))
    for folder in (first, second):
        shutil.copytree(MODEL_STORE / "students" / "recolor-mini" / "1", folder)
    manifest = second / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": 2}))
    with OpenAIServer() as teacher:
        for tool in TOOLS:
            teacher.reply(tool, Say("TOOL: No, nothing to do."))
        yield {
            "RECOLOR_MODEL_STORE": str(store),
            "RECOLOR_THREADS": "1",
            "RECOLOR_EXPERIMENT": "two-and-a-teacher",
            "RECOLOR_VARIANTS": "second:30=recolor-mini@2,teacher:30=teacher",
            "RECOLOR_TEACHER_API_KEY": teacher.key,
            "RECOLOR_TEACHER_BASE_URL": teacher.base_url,
            "RECOLOR_TEACHER_MODEL": "gpt-test",
            "RECOLOR_EVENTS_URL": f"sqlite:///{tmp_path}/events.sqlite3",
            "RECOLOR_EVENTS_FOLDER": str(tmp_path / "spool"),
            "RECOLOR_EVENTS_FLUSH_SECONDS": "0.05",
        }


@contextmanager
def service(log: Path, environment: dict[str, str]) -> Iterator[httpx.Client]:
    """A process of its own until the block ends, which it does in good order."""
    with log.open("a") as written, recolor_serve(log=written, **environment) as process:
        assert process.stdout
        url = re.search(r"http://\S+", process.stdout.readline())
        assert url, log.read_text()
        with httpx.Client(base_url=url[0], timeout=PATIENCE) as client:
            yield client
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE) == 0


def ask(client: httpx.Client, project: str | None) -> dict[str, Any]:
    response = client.post("/recolor", json={"intent": "golden hour"} | ({"project_id": project} if project else {}))
    assert response.status_code == 200, response.text
    return response.json()


def export(client: httpx.Client, answer: dict[str, Any]) -> None:
    said = {"request_id": answer["request_id"], "event": "exported"}
    assert client.post("/feedback", json=said).status_code == 202


def counted(client: httpx.Client, what: str) -> Counter[str]:
    """Projects that a process has counted, by variant."""
    samples = [
        sample
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
        if sample.name == f"recolor_projects_{what}_total"
    ]
    return Counter({sample.labels["variant"]: int(sample.value) for sample in samples if sample.value})


@pytest.mark.timeout(900)  # two processes load two students each, on a machine that may be busy
def test_settings_answers_metrics_and_report_agree(environment: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    started: Counter[str] = Counter()
    exported: Counter[str] = Counter()
    metrics: dict[str, Counter[str]] = {"started": Counter(), "exported": Counter()}

    def count(client: httpx.Client) -> None:
        """When the store has everything, what this process has counted is added to the other's."""
        for what, expected in (("started", started), ("exported", exported)):
            before = metrics[what].copy()
            until(lambda what=what, before=before, expected=expected: before + counted(client, what) == expected)
            metrics[what] = before + counted(client, what)

    with service(log, environment) as client:
        listed = [(one["role"], one["model"]) for one in client.get("/models").json()["models"]]
        assert listed == [("student", "recolor-mini@1"), ("student", "recolor-mini@2"), ("teacher", "gpt-test")]
        first = {project: ask(client, project) for project in PROJECTS[:20]}
        started.update(answer["variant"] for answer in first.values())
        assert {(one["variant"], one["model"]) for one in first.values()} == set(MODELS.items())
        assert {one["variant"]: set(one["sources"].values()) for one in first.values()} == {
            "control": {"student"},
            "second": {"student"},
            "teacher": {"teacher"},
        }
        without = ask(client, None)
        assert (without["variant"], without["model"]) == ("control", "recolor-mini@1")
        export(client, without)
        for project in PROJECTS[:20:3]:
            export(client, first[project])
            export(client, first[project])
            exported[first[project]["variant"]] += 1
        count(client)

    with service(log, environment) as client:
        again = {project: ask(client, project) for project in PROJECTS}
        assert all(again[project]["variant"] == answer["variant"] for project, answer in first.items())
        started.update(again[project]["variant"] for project in PROJECTS[20:])
        for project in PROJECTS[::2]:
            export(client, again[project])
            exported[again[project]["variant"]] += PROJECTS.index(project) % 3 != 0 or project not in first
        count(client)

    report = tmp_path / "report.json"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        assert recolor("experiment", "report", "--json", report).exit_code == 0
    found = json.loads(report.read_text(encoding="utf-8"))["variants"]
    assert Counter({one["name"]: one["started"] for one in found}) == started == metrics["started"]
    assert Counter({one["name"]: one["exported"] for one in found}) == exported == metrics["exported"]
    assert sum(started.values()) == len(PROJECTS)
