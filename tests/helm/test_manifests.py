"""Every manifest over a matrix of values, against the schemas of Kubernetes and of the custom resources."""

import json
from functools import cache
from itertools import product

import helm_python as helm
import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from app import __version__
from app.settings import CHECKOUT
from tests.helm.chart import (
    CANARY,
    CHART,
    GATEWAY,
    HPA,
    KEDA,
    MONITORING,
    NGINX,
    PROFILES,
    RELEASE,
    ROLLOUTS,
    SHARED,
    Manifest,
    Values,
    render,
    values,
)

OLDEST, NEWEST = "1.30", "1.37"
"""Versions of Kubernetes."""

OPEN: Values = {"auth": {"secret": "", "open": True}, "networkPolicy": {"enabled": False}}
COPIED: Values = {"models": {"source": "copy", "copy": {"image": "students:7"}}, "teacher": {"secret": "teacher"}}
PLAIN: Values = {}

RELEASES = {
    "plain": [PLAIN, GATEWAY, NGINX],
    "canary": [{**CANARY, **GATEWAY}, {**CANARY, **NGINX}],
    "rollouts": [{**ROLLOUTS, **GATEWAY}, {**ROLLOUTS, **NGINX}],
}
MATRIX = [
    (profile, release, [SHARED, way, *rest])
    for profile, release in product(PROFILES, RELEASES)
    for way, *rest in product(RELEASES[release], [PLAIN, HPA, KEDA], [MONITORING, OPEN, COPIED])
]
CUSTOM = yaml.safe_load((CHECKOUT / "tests/helm/crds.yaml").read_text(encoding="utf-8"))


@cache
def kubernetes_accepts(manifest: str, version: str) -> None:
    """Raises kubernetes_validate.ValidationError. The same manifest turns up in many releases."""
    kubernetes_validate.validate(json.loads(manifest), version, strict=True)


def check(manifest: Manifest) -> None:
    """Raises where a schema does not let the manifest through, or there is no schema."""
    if (schema := CUSTOM.get(manifest["kind"])) is None:
        kubernetes_accepts(json.dumps(manifest, sort_keys=True), NEWEST)
        return
    Draft202012Validator(schema).validate(manifest)
    if manifest["kind"] == "Rollout":
        spec = {key: manifest["spec"][key] for key in ("selector", "template")}
        check({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "of-a-rollout"}, "spec": spec})


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("release", RELEASES)
def test_every_manifest_is_what_its_schema_says(profile: str, release: str) -> None:
    for parts in [parts for of, kind, parts in MATRIX if (of, kind) == (profile, release)]:
        manifests = render(*parts, profile=profile).manifests
        for manifest in manifests:
            check(manifest)
            assert manifest["metadata"]["labels"]["app.kubernetes.io/instance"] == RELEASE
        names = [(it["kind"], it["metadata"]["name"]) for it in manifests]
        assert len(names) == len(set(names))


def test_the_oldest_kubernetes_that_the_chart_names_takes_it_too() -> None:
    with helm.Chart.load(CHART) as chart:
        assert chart.metadata["kubeVersion"] == f">={OLDEST}.0-0"
    for manifest in render(SHARED, HPA, CANARY, NGINX, MONITORING, profile="llama-a100").manifests:
        if manifest["kind"] not in CUSTOM:
            kubernetes_validate.validate(manifest, OLDEST, strict=True)


def test_a_manifest_with_a_field_that_does_not_exist_would_be_found() -> None:
    rendered = render(SHARED, CANARY, GATEWAY, MONITORING)
    deployment, route = next(iter(rendered.all("Deployment").values())), rendered.one("HTTPRoute")
    deployment["spec"]["template"]["spec"]["containers"][0]["probe"] = {}
    route["spec"]["rules"][0]["backendRefs"][0]["share"] = 3
    for manifest in (deployment, route):
        with pytest.raises(ValidationError, match="unexpected"):
            check(manifest)


@pytest.mark.parametrize("profile", [None, *PROFILES])
def test_helm_lint_finds_nothing_wrong(profile: str | None) -> None:
    report = helm.lint(CHART, values(profile=profile), strict=True, kube_version=f"v{NEWEST}.0")
    assert report["errors"] == []
    assert [it["error"] for it in report["messages"]] == ["icon is recommended"]


def test_the_chart_installs_the_version_that_it_lies_beside() -> None:
    with helm.Chart.load(CHART) as chart:
        assert chart.metadata["appVersion"] == chart.metadata["version"] == __version__
    assert render().pod()["containers"][0]["image"] == f"recolor:{__version__}"
