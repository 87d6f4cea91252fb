"""The chart, rendered by the real Helm library."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import helm_python as helm
import yaml

from app.settings import CHECKOUT

CHART = CHECKOUT / "helm"
PROFILES = sorted(file.stem.removeprefix("values-") for file in CHART.glob("values-*.yaml"))
RELEASE, NAMESPACE = "prod", "looks"
NAME = "prod-recolor"

Values = dict[str, Any]
Manifest = dict[str, Any]

SHARED: Values = {"events": {"secret": "recolor-events"}, "redis": {"secret": "recolor-redis"}}
"""What several pods need."""

GATEWAY: Values = {"traffic": {"kind": "gateway", "host": "looks.example.com", "gateway": {"name": "public"}}}
NGINX: Values = {"traffic": {"kind": "nginx", "host": "looks.example.com"}}
CANARY: Values = {"canary": {"enabled": True, "model": "recolor-mini@2", "weight": 10}}
ROLLOUTS: Values = {"rollouts": {"enabled": True, "analysis": {"prometheus": "http://prometheus:9090"}}}
HPA: Values = {"autoscaling": {"kind": "hpa"}}
KEDA: Values = {"autoscaling": {"kind": "keda", "keda": {"prometheus": "http://prometheus:9090"}}}
MONITORING: Values = {
    "monitoring": {
        "labels": {"release": "prometheus"},
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboard": {"enabled": True},
    }
}


@dataclass(frozen=True)
class Rendered:
    """Everything that a release consists of."""

    manifests: list[Manifest]
    notes: str

    def all(self, kind: str) -> dict[str, Manifest]:
        """The objects of a kind by their names."""
        return {it["metadata"]["name"]: it for it in self.manifests if it["kind"] == kind}

    def one(self, kind: str) -> Manifest:
        (manifest,) = self.all(kind).values()
        return manifest

    def pods(self) -> dict[str, Manifest]:
        """Pod templates by the names of what makes pods of them."""
        makers = self.all("Deployment") | self.all("Rollout")
        return {name: maker["spec"]["template"] for name, maker in makers.items()}

    def pod(self) -> Manifest:
        """The only pod template's specification."""
        (template,) = self.pods().values()
        return template["spec"]


def render(*parts: Values, profile: str | None = None, name: str = RELEASE) -> Rendered:
    """The values are laid over each other as by several `-f`. Raises helm.HelmError."""
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values(*parts, profile=profile), name=name, namespace=NAMESPACE)
    notes = files.pop("recolor/templates/NOTES.txt")
    manifests = [manifest for text in files.values() for manifest in yaml.load_all(text, yaml.CSafeLoader) if manifest]
    return Rendered(manifests, notes)


def values(*parts: Values, profile: str | None = None) -> Values:
    merged: Values = {}
    for part in (_profile(profile) if profile else {}, *parts):
        merged = over(merged, part)
    return merged


@cache
def _profile(name: str) -> Values:
    return yaml.safe_load((CHART / f"values-{name}.yaml").read_text(encoding="utf-8"))


def over(below: Mapping[str, Any], above: Mapping[str, Any]) -> Values:
    """Maps are merged, all else is replaced, as Helm does it."""
    both = {
        key: over(below[key], above[key])
        for key in below.keys() & above.keys()
        if isinstance(below[key], dict) and isinstance(above[key], dict)
    }
    return {**below, **above, **both}
