"""Real services as processes, and a real Prometheus that scrapes them."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_server

import httpx
import yaml

from tests.api.forked import Forked
from tests.api.service import until
from tests.helm.chart import CHART


@dataclass(frozen=True)
class Prometheus:
    http: httpx.Client

    @property
    def url(self) -> str:
        return str(self.http.base_url)

    def ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """Labels and values, now."""
        answer = self.http.get("/api/v1/query", params={"query": query}).json()
        assert answer["status"] == "success", f"{query}: {answer}"
        return [(it["metric"], float(it["value"][1])) for it in answer["data"]["result"]]

    def sees(self, query: str, value: float) -> bool:
        return [it for _, it in self.ask(query)] == [value]


def free_port() -> int:
    with create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def starting(folder: Path, **settings: str) -> Iterator[Forked]:
    """A service with time enough for every answer, log and events in `folder`; it says when it is ready."""
    folder.mkdir()
    given = {
        "RECOLOR_PORT": "0",
        "RECOLOR_RATE_LIMIT": "none",
        "RECOLOR_EVENTS_FOLDER": str(folder / "events"),
        "RECOLOR_DEADLINE_SECONDS": "60",
        "RECOLOR_STUDENT_SECONDS": "50",
        "STUDENT": "stored",
    }
    with (folder / "log").open("w") as log:
        process = Forked(os.environ | given | settings, errors=log)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def ready(process: Forked) -> httpx.Client:
    url = re.search(r"http://\S+", process.stdout.readline())
    assert url, "it did not start"
    return httpx.Client(base_url=url[0], timeout=120)


@contextmanager
def prometheus(binary: str, folder: Path, jobs: Mapping[str, Mapping[str, str]]) -> Iterator[Prometheus]:
    """With the rules of the chart, scraping the tracks of each job: an address by the track's name."""
    scraped = [
        {
            "job_name": job,
            "static_configs": [{"targets": [at], "labels": {"track": track}} for track, at in tracks.items()],
        }
        for job, tracks in jobs.items()
    ]
    # Not more often: a scrape has no more time than that, and a service on a busy machine would never be seen.
    often = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    written = {"global": often, "rule_files": [str(CHART / "files/rules.yaml")], "scrape_configs": scraped}
    folder.mkdir()
    (folder / "prometheus.yml").write_text(yaml.safe_dump(written), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([binary, *options, f"--web.listen-address={address}"], stderr=log, stdout=log)
        try:
            with httpx.Client(base_url=f"http://{address}", timeout=60) as client:
                until(lambda: _up(client))
                yield Prometheus(client)
        finally:
            process.kill()
            process.wait()


def _up(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").is_success
    except httpx.TransportError:
        return False
