"""Two tracks side by side: who gets which requests, and what a canary leaves behind."""

from typing import Any

import pytest
import yaml

from tests.helm.chart import (
    CANARY,
    CHART,
    GATEWAY,
    HPA,
    KEDA,
    MONITORING,
    NAME,
    NGINX,
    ROLLOUTS,
    SHARED,
    Manifest,
    Values,
    render,
)

WAYS = [GATEWAY, NGINX]


def selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def selector_of(manifest: Manifest) -> dict[str, str]:
    selector = manifest["spec"].get("selector") or manifest["spec"]["podSelector"]
    return selector.get("matchLabels", selector)


def with_weight(weight: int) -> Values:
    return {"canary": {"weight": weight}}


@pytest.mark.parametrize("way", WAYS)
def test_each_pod_belongs_to_one_deployment_and_one_service_of_its_track(way: Values) -> None:
    rendered = render(SHARED, CANARY, way, MONITORING)
    for name, template in rendered.pods().items():
        labels = template["metadata"]["labels"]
        for kind in ("Deployment", "Service"):
            leading = {at for at, it in rendered.all(kind).items() if selects(selector_of(it), labels)}
            assert leading - {f"{NAME}-metrics"} == {name}
        for kind in ("PodDisruptionBudget", "NetworkPolicy"):
            assert selects(selector_of(rendered.one(kind)), labels)


def test_a_canary_reaches_a_collector_of_its_own() -> None:
    def traced(port: int) -> Values:
        return {"settings": {"RECOLOR_TRACES_ENDPOINT": f"http://otel:{port}"}}

    def ports(*parts: Values) -> list[int]:
        rules = render(SHARED, *parts).one("NetworkPolicy")["spec"]["egress"]
        return [port["port"] for rule in rules for port in rule["ports"]][4:]

    theirs: Values = {"canary": traced(4319)}
    assert ports(CANARY, GATEWAY, theirs) == [4319]
    assert ports(CANARY, GATEWAY, theirs, traced(4318)) == [4318, 4319]
    assert ports(CANARY, GATEWAY, theirs, traced(4319)) == [4319]
    assert ports(theirs) == [], "there is no canary"


def test_two_releases_in_one_namespace_do_not_touch_each_other() -> None:
    labels = render(SHARED, CANARY, GATEWAY).pods()[NAME]["metadata"]["labels"] | {"app.kubernetes.io/instance": "test"}
    for manifest in render(SHARED, CANARY, GATEWAY, MONITORING).manifests:
        if manifest["kind"] in ("Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"):
            assert not selects(selector_of(manifest), labels)


@pytest.mark.parametrize("weight", [0, 1, 10, 50, 99, 100])
def test_the_gateway_gives_the_canary_its_weight_and_all_the_rest_to_stable(weight: int) -> None:
    rendered = render(SHARED, CANARY, GATEWAY, with_weight(weight))
    (rule,) = rendered.one("HTTPRoute")["spec"]["rules"]
    shares = {backend["name"]: backend["weight"] for backend in rule["backendRefs"]}
    assert shares == {NAME: 100 - weight, f"{NAME}-canary": weight}
    assert shares.keys() <= rendered.all("Service").keys()
    ports = {rendered.all("Service")[it["name"]]["spec"]["ports"][0]["port"] for it in rule["backendRefs"]}
    assert ports == {it["port"] for it in rule["backendRefs"]}


def test_nginx_gives_the_canary_its_weight_under_the_same_host_and_path() -> None:
    ingresses = render(SHARED, CANARY, NGINX, with_weight(25)).all("Ingress")
    stable, canary = ingresses[NAME], ingresses[f"{NAME}-canary"]
    ours = "nginx.ingress.kubernetes.io"
    assert canary["metadata"]["annotations"][f"{ours}/canary"] == "true"
    assert canary["metadata"]["annotations"][f"{ours}/canary-weight"] == "25"
    assert not any(key.startswith(f"{ours}/canary") for key in stable["metadata"]["annotations"])

    def at(ingress: Manifest) -> tuple[str, str, str]:
        (rule,) = ingress["spec"]["rules"]
        (path,) = rule["http"]["paths"]
        return rule["host"], path["path"], path["backend"]["service"]["name"]

    assert at(stable) == ("looks.example.com", "/", NAME)
    assert at(canary) == ("looks.example.com", "/", f"{NAME}-canary")


@pytest.mark.parametrize("way", WAYS)
def test_without_a_canary_nothing_of_it_is_there(way: Values) -> None:
    off = {"canary": {**CANARY["canary"], "enabled": False, "settings": {"RECOLOR_MAX_BATCH": 7}}}
    rendered = render(SHARED, off, way, MONITORING)
    nothing = [it for it in rendered.manifests if it["kind"] not in ("PrometheusRule", "ConfigMap")]
    assert "canary" not in yaml.safe_dump(nothing)
    assert "recolor-mini@2" not in rendered.notes
    assert rendered == render(SHARED, way, MONITORING)


def test_the_canary_has_its_own_model_image_replicas_and_settings() -> None:
    tried: Values = {"canary": {"replicas": 3, "tag": "0.2.0", "settings": {"RECOLOR_DECODING": "free"}}}
    rendered = render(SHARED, CANARY, GATEWAY, tried, {"replicas": 5})
    deployments = rendered.all("Deployment")
    assert {name: it["spec"]["replicas"] for name, it in deployments.items()} == {NAME: 5, f"{NAME}-canary": 3}

    def container(name: str) -> tuple[str, dict[str, Any]]:
        (it,) = deployments[name]["spec"]["template"]["spec"]["containers"]
        return it["image"], {each["name"]: each.get("value") for each in it["env"]}

    assert container(NAME)[0] == "recolor:0.1.0"
    assert container(f"{NAME}-canary")[0] == "recolor:0.2.0"
    assert container(NAME)[1]["RECOLOR_MODEL"] == "recolor-mini@1"
    assert container(f"{NAME}-canary")[1]["RECOLOR_MODEL"] == "recolor-mini@2"
    assert "RECOLOR_DECODING" not in container(NAME)[1]


def test_promotion_changes_the_stable_deployment_and_its_selector_stays() -> None:
    before = render(SHARED, CANARY, GATEWAY)
    after = render(SHARED, CANARY, GATEWAY, {"model": "recolor-mini@2", "canary": {"enabled": False}})
    (stable,) = after.all("Deployment").values()
    assert stable["spec"]["selector"] == before.all("Deployment")[NAME]["spec"]["selector"]
    assert stable["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert {"name": "RECOLOR_MODEL", "value": "recolor-mini@2"} in after.pod()["containers"][0]["env"]


def test_rolling_back_brings_back_what_was_there_before_the_canary() -> None:
    canary_off = {"canary": {"enabled": False}}
    assert render(SHARED, CANARY, GATEWAY, canary_off).manifests == render(SHARED, GATEWAY).manifests


def test_the_notes_say_how_to_promote_and_how_to_roll_back() -> None:
    notes = render(SHARED, CANARY, GATEWAY).notes
    assert "--set model=recolor-mini@2 --set canary.enabled=false" in notes
    assert "--reset-then-reuse-values --set canary.enabled=false" in notes


@pytest.mark.parametrize("way", [HPA, KEDA])
def test_the_autoscaler_sizes_the_stable_track_alone(way: Values) -> None:
    rendered = render(SHARED, CANARY, GATEWAY, way)
    scaler = next(it for it in rendered.manifests if it["kind"] in ("HorizontalPodAutoscaler", "ScaledObject"))
    assert scaler["spec"]["scaleTargetRef"]["name"] == NAME
    deployments = rendered.all("Deployment")
    assert "replicas" not in deployments[NAME]["spec"]
    assert deployments[f"{NAME}-canary"]["spec"]["replicas"] == 1


def test_each_pod_is_scraped_once_with_its_track_and_key() -> None:
    for parts in ([CANARY, GATEWAY], [ROLLOUTS, NGINX]):
        rendered = render(SHARED, MONITORING, *parts)
        monitor, services = rendered.one("ServiceMonitor"), rendered.all("Service")
        (scraped,) = [it for it in services.values() if selects(selector_of(monitor), it["metadata"]["labels"])]
        for template in rendered.pods().values():
            assert selects(scraped["spec"]["selector"], template["metadata"]["labels"])
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] == scraped["spec"]["ports"][0]["name"]
        assert endpoint["authorization"]["credentials"] == {"name": "recolor-keys", "key": "metrics-key"}
        assert endpoint["relabelings"] == [
            {"sourceLabels": ["__meta_kubernetes_pod_label_track"], "targetLabel": "track"}
        ]
        assert monitor["metadata"]["labels"]["release"] == "prometheus"


@pytest.mark.parametrize("way", WAYS)
def test_argo_walks_through_the_weights_and_is_told_when_to_turn_back(way: Values) -> None:
    rendered = render(SHARED, ROLLOUTS, way, HPA)
    rollout, judge = rendered.one("Rollout"), rendered.one("AnalysisTemplate")
    assert rendered.all("Deployment") == {}
    assert rendered.one("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["kind"] == "Rollout"
    canary = rollout["spec"]["strategy"]["canary"]
    assert {canary["stableService"], canary["canaryService"]} == rendered.all("Service").keys()
    assert [it["setWeight"] for it in canary["steps"] if "setWeight" in it] == [10, 50]
    assert canary["analysis"]["templates"] == [{"templateName": judge["metadata"]["name"]}]
    tracks = {canary[f"{track}Metadata"]["labels"]["track"] for track in ("stable", "canary")}
    assert tracks == {"stable", "canary"}
    # Argo adds each track's own label to the pods and to the Services; here they must be the same for both.
    labels = rollout["spec"]["template"]["metadata"]["labels"]
    assert "track" not in labels
    for service in rendered.all("Service").values():
        assert service["spec"]["selector"] == selector_of(rollout)
    if way is GATEWAY:
        assert canary["trafficRouting"]["plugins"]["argoproj-labs/gatewayAPI"]["httpRoute"] in rendered.all("HTTPRoute")
    else:
        assert canary["trafficRouting"]["nginx"]["stableIngress"] in rendered.all("Ingress")


def test_the_analysis_asks_for_every_series_that_a_canary_is_judged_by() -> None:
    judged = yaml.safe_load((CHART / "files/canary.yaml").read_text(encoding="utf-8"))
    asked = render(SHARED, ROLLOUTS, GATEWAY).one("AnalysisTemplate")["spec"]["metrics"]
    queries = {it["name"]: it["provider"]["prometheus"]["query"] for it in asked}
    here = '{namespace="looks", job="prod-recolor-metrics"}'
    assert queries == {it["name"]: it["series"] + here for it in judged}
    for it, metric in zip(judged, asked, strict=True):
        assert metric["successCondition"].endswith(f"result[0] <= {it['most']}")
