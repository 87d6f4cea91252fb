"""Real services as processes, and a real Prometheus that scrapes them."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import time
from typing import Self

import httpx
import yaml

from tests.api.forked import Forked
from tests.api.service import PATIENCE, PATIENT_PROCESS, until
from tests.helm.chart import CHART
from tests.ports import free_port


@dataclass(frozen=True)
class Prometheus:
    """`moment` is the time that is asked about, in seconds since 1970; None: now."""

    http: httpx.Client
    moment: float | None = None

    @property
    def url(self) -> str:
        return str(self.http.base_url)

    def ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """Labels and values."""
        at = {} if self.moment is None else {"time": self.moment}
        answer = self.http.get("/api/v1/query", params={"query": query, **at}).json()
        assert answer["status"] == "success", f"{query}: {answer}"
        return [(it["metric"], float(it["value"][1])) for it in answer["data"]["result"]]

    def sees(self, query: str, value: float) -> bool:
        return [it for _, it in self.ask(query)] == [value]

    def has_counted(self, counter: str, value: float) -> bool:
        """Over all targets, wherever each was last scraped: on a busy machine scrapes fail."""
        return self.sees(f"sum(last_over_time({counter}[10m]))", value)

    def when(self, query: str, value: float) -> Self:
        """What it knows of one moment at which it saw that: on a busy machine a scrape may fail at any other."""
        while True:
            past = replace(self, moment=time())
            # A target that was scraped since then has nothing more to tell of it.
            until(lambda past=past: self.sees(f"min(timestamp(up)) > bool {past.moment}", 1))
            if past.sees(query, value):
                return past

    def knows_well(self, counter: str) -> bool:
        """Whether each series has ten samples: of fewer, `rate` and `increase` make much more for one than another."""
        return self.sees(f"min(count_over_time({counter}[10m])) >= bool 10", 1)


@contextmanager
def starting(folder: Path, **settings: str) -> Iterator[Forked]:
    """A service with time enough for every answer, log and events in `folder`; it says when it is ready."""
    folder.mkdir()
    given = {
        "RECOLOR_PORT": "0",
        "RECOLOR_RATE_LIMIT": "none",
        "RECOLOR_EVENTS_FOLDER": str(folder / "events"),
        "STUDENT": "stored",
    }
    with (folder / "log").open("w") as log:
        process = Forked(os.environ | PATIENT_PROCESS | given | settings, errors=log)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def ready(process: Forked) -> httpx.Client:
    url = re.search(r"http://\S+", process.stdout.readline())
    assert url, "it did not start"
    return httpx.Client(base_url=url[0], timeout=PATIENCE)


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
                until(lambda: _up(client, process))
                yield Prometheus(client)
        finally:
            process.kill()
            process.wait()


def _up(client: httpx.Client, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "it did not start"
    try:
        return client.get("/-/ready").is_success
    except httpx.TransportError:
        return False
