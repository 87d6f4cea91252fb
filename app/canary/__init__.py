"""Is the canary as good as the stable track? Asked of a Prometheus server, judged by intervals."""

from app.canary.counts import Release, Tracks, read_tracks
from app.canary.criteria import Criterion, read_criteria
from app.canary.errors import CanaryError, ServerAwayError
from app.canary.prometheus import Prometheus
from app.canary.verdict import Finding, Guarantee, Report, judge

__all__ = [
    "CanaryError",
    "Criterion",
    "Finding",
    "Guarantee",
    "Prometheus",
    "Release",
    "Report",
    "ServerAwayError",
    "Tracks",
    "judge",
    "read_criteria",
    "read_tracks",
]
