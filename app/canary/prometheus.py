"""A Prometheus server, or what speaks as one does (Thanos, Mimir), over its HTTP API."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from app.canary.errors import CanaryError, ServerAwayError

SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Sample:
    labels: Mapping[str, str]
    value: float


class Prometheus:
    """``with Prometheus(url) as server: server.ask("up")``. The URL may have a path, and a user and password.

    Every method raises CanaryError.
    """

    def __init__(self, url: str, key: str = "", seconds: float = SECONDS) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        place = urlsplit(url)
        self._shown = place._replace(netloc=place.netloc.rpartition("@")[2]).geturl()
        try:
            self._http = httpx.Client(base_url=url, headers=headers, timeout=seconds)
        except httpx.InvalidURL as error:
            raise CanaryError(f"{self._shown} is no address: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def now(self) -> float:
        """The server's time, in seconds since 1970: for queries that look at one moment."""
        return self._scalar(self._query("time()"))

    def _scalar(self, result: Any) -> float:
        try:
            return float(result[1])
        except (LookupError, TypeError, ValueError):
            raise CanaryError(f"{self._shown} does not say its time as a Prometheus server does") from None

    def ask(self, query: str, at: float) -> list[Sample]:
        """The samples of an instant vector, without those that are no number."""
        found = [Sample(it["metric"], float(it["value"][1])) for it in self._query(query, time=at)]
        return [sample for sample in found if math.isfinite(sample.value)]

    def _query(self, query: str, **parameters: float) -> Any:
        try:
            answer = self._http.get("/api/v1/query", params={"query": query, **parameters})
        except httpx.TimeoutException:
            raise ServerAwayError(f"{self._shown} has not answered for {self._http.timeout.read:g} s") from None
        except httpx.HTTPError as error:
            raise ServerAwayError(f"{self._shown} cannot be reached: {error}") from None
        if answer.status_code in (401, 403):
            raise CanaryError(f"{self._shown} wants another key ({answer.status_code}): set RECOLOR_PROMETHEUS_KEY")
        failure = ServerAwayError if answer.status_code >= 500 else CanaryError
        try:
            body = answer.json()
            if body["status"] == "success":
                return body["data"]["result"]
            reason = body["error"]
        except (ValueError, LookupError, TypeError):
            raise failure(
                f"{self._shown} does not answer as a Prometheus server does (status {answer.status_code}): "
                "give the address under which /api/v1/query is"
            ) from None
        raise failure(f"{self._shown} refuses the query: {reason}")
