"""What the two tracks did in the window, as Prometheus counted it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.canary.criteria import Criterion, query
from app.canary.errors import CanaryError
from app.canary.intervals import Histogram
from app.canary.prometheus import Prometheus, Sample

REQUESTS = "track:recolor_requests:increase10m"
MODELS = 'max by (namespace, job, model) (max_over_time(recolor_build_info{track="canary"}[%s]))'


@dataclass(frozen=True, slots=True)
class Release:
    """Both labels are empty where Prometheus has none."""

    namespace: str
    job: str

    def __str__(self) -> str:
        return "/".join(filter(None, (self.namespace, self.job))) or "without labels"


@dataclass(frozen=True, slots=True)
class Tracks:
    """One release's counts.

    Attributes:
        models: what the canary answered with in the window.
        requests: of each track, in the window.
        found: the samples of every series that a criterion asks for.
    """

    release: Release
    models: frozenset[str]
    requests: Mapping[str, float]
    found: Mapping[str, Sequence[Sample]]

    @property
    def model(self) -> str | None:
        """What the canary answers with; None where that is not one."""
        return next(iter(self.models)) if len(self.models) == 1 else None

    def count(self, series: str, track: str) -> float:
        """How many of something the track counted; 0 where it counted none."""
        return max(0.0, sum(sample.value for sample in _of(track, self.found[series])))

    def times(self, series: str, track: str) -> Histogram:
        at: dict[float, float] = {}
        for sample in _of(track, self.found[series]):
            at[float(sample.labels["le"])] = sample.value
        bounds = sorted(bound for bound in at if bound > 0)
        return Histogram(bounds, [at[bound] for bound in bounds])

    def state(self, series: str) -> float | None:
        """The worst of the canary's pods; None where none says."""
        return max((sample.value for sample in self.found[series]), default=None)


def read_tracks(
    server: Prometheus, criteria: Sequence[Criterion], window: str, namespace: str | None = None, job: str | None = None
) -> Tracks:
    """The counts of the one release that is there, or that `namespace` and `job` name. Raises CanaryError."""
    at = server.now()
    asked = {REQUESTS, *(series for it in criteria for series in it.counts.values() or (it.series,))}
    found = {series: server.ask(query(series, window), at) for series in asked}
    models = server.ask(MODELS % window, at)
    release = _one({_release(it) for samples in (*found.values(), models) for it in samples}, namespace, job)
    own = {series: [it for it in samples if _release(it) == release] for series, samples in found.items()}
    names = frozenset(it.labels.get("model", "") for it in models if _release(it) == release)
    requests = {track: sum(it.value for it in _of(track, own[REQUESTS])) for track in ("stable", "canary")}
    return Tracks(release, names, requests, own)


def _one(releases: set[Release], namespace: str | None, job: str | None) -> Release:
    """Raises CanaryError."""
    chosen = {it for it in releases if namespace in (None, it.namespace) and job in (None, it.job)}
    if len(chosen) == 1:
        return chosen.pop()
    there = ", ".join(sorted(map(str, chosen or releases)))
    if chosen:
        raise CanaryError(f"there are several releases: {there}; choose one by --namespace and --job")
    if releases:
        raise CanaryError(f"there is no such release; there are: {there}")
    raise CanaryError("this Prometheus has seen no Recolor: none of its series are there; is /metrics scraped?")


def _release(sample: Sample) -> Release:
    return Release(sample.labels.get("namespace", ""), sample.labels.get("job", ""))


def _of(track: str, samples: Iterable[Sample]) -> list[Sample]:
    return [sample for sample in samples if sample.labels.get("track") == track]
