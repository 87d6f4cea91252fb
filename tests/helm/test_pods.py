"""What the pods may do, what they are told, and how long they are given."""

import math
from itertools import product
from typing import Any

import pytest

from app.settings import Settings
from tests.helm.chart import CANARY, GATEWAY, PROFILES, ROLLOUTS, SHARED, Manifest, Rendered, Values, render
from tests.helm.pod_security import violations

WAYS: list[Values] = [{}, {**CANARY, **GATEWAY}, {**ROLLOUTS, **GATEWAY}]
STORES: list[Values] = [{"models": {"source": source, "copy": {"image": "students:7"}}} for source in ("claim", "copy")]
EVERYTHING: Values = {
    "events": {"secret": "recolor-events", "userKey": "user-key"},
    "teacher": {"secret": "recolor-teacher"},
    "settings": {"RECOLOR_MAX_BATCH": 48, "RECOLOR_MAX_IMAGE_BYTES": 123456789, "RECOLOR_STUDENT_SECONDS": 1.5},
    **STORES[0],
}

CLOSING_SECONDS = 20
"""What the service takes at most after its last answer: student 10, events on disk 5, events delivered 5."""


def environment(rendered: Rendered, pod: Manifest) -> dict[str, Any]:
    """Plain values as the container sees them; of Secrets, a dict."""
    container = pod["containers"][0]
    (source,) = container["envFrom"]
    configured = rendered.all("ConfigMap")[source["configMapRef"]["name"]]["data"]
    return configured | {it["name"]: it.get("value", it.get("valueFrom")) for it in container["env"]}


def settings_of(environment: dict[str, Any]) -> Settings:
    """What the service makes of the environment."""
    known = Settings.model_fields
    plain = {name.removeprefix("RECOLOR_").lower(): it for name, it in environment.items() if isinstance(it, str)}
    return Settings(**{name: it for name, it in plain.items() if name in known})  # type: ignore[arg-type]


@pytest.mark.parametrize("profile", PROFILES)
def test_pods_keep_to_the_restricted_security_level_and_write_to_no_root_file_system(profile: str) -> None:
    for way, store in product(WAYS, STORES):
        for template in render(SHARED, way, store, profile=profile).pods().values():
            assert violations(template["spec"]) == []
            for container in (*template["spec"]["containers"], *template["spec"].get("initContainers", ())):
                assert container["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["hostNetwork"], True),
        (["securityContext", "runAsNonRoot"], False),
        (["securityContext", "seccompProfile"], {"type": "Unconfined"}),
        (["volumes", 0], {"name": "x", "hostPath": {"path": "/"}}),
        (["containers", 0, "securityContext", "capabilities"], {"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
        (["containers", 0, "securityContext", "allowPrivilegeEscalation"], True),
        (["containers", 0, "securityContext", "privileged"], True),
        (["containers", 0, "ports", 0, "hostPort"], 8000),
    ],
)
def test_a_pod_below_the_restricted_level_would_be_found(path: list[str | int], value: Any) -> None:
    pod = render().pod()
    place: Any = pod
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    if path[-1] == "runAsNonRoot":
        del pod["containers"][0]["securityContext"]["runAsNonRoot"]
    assert len(violations(pod)) == 1


def test_every_variable_is_a_setting_of_the_service() -> None:
    rendered = render(SHARED, EVERYTHING, CANARY, GATEWAY, {"canary": {"settings": {"RECOLOR_DTYPE": "float32"}}})
    known = {f"RECOLOR_{name.upper()}" for name in Settings.model_fields}
    for template in rendered.pods().values():
        said = {name for name in environment(rendered, template["spec"]) if name.startswith("RECOLOR_")}
        assert said <= known


def test_the_service_reads_the_settings_as_they_were_meant() -> None:
    rendered = render(SHARED, EVERYTHING, GATEWAY, CANARY, {"canary": {"settings": {"RECOLOR_MAX_BATCH": 96}}})
    stable, canary = (
        settings_of(environment(rendered, rendered.pods()[name]["spec"]))
        for name in ("prod-recolor", "prod-recolor-canary")
    )
    assert (stable.model, canary.model) == ("recolor-mini@1", "recolor-mini@2")
    assert (stable.max_batch, canary.max_batch) == (48, 96)
    assert stable.max_image_bytes == canary.max_image_bytes == 123456789
    assert stable.student_seconds == 1.5
    assert (stable.host, stable.port) == ("0.0.0.0", 8000)
    assert str(stable.model_store) == "/models"


def test_secrets_are_only_ever_named() -> None:
    """A secret setting has a reference for its value, and the ConfigMap holds none."""
    rendered = render(SHARED, EVERYTHING)
    shown = environment(rendered, rendered.pod())
    properties = Settings.model_json_schema()["properties"]
    secret = {f"RECOLOR_{name.upper()}" for name, it in properties.items() if "writeOnly" in str(it)}
    assert secret & rendered.one("ConfigMap")["data"].keys() == set()
    assert shown.pop("RECOLOR_API_KEYS") == "$(CALLERS_KEYS),$(METRICS_KEY)"
    held = {name: it["secretKeyRef"] for name, it in shown.items() if isinstance(it, dict) and "secretKeyRef" in it}
    assert held == {
        "CALLERS_KEYS": {"name": "recolor-keys", "key": "api-keys"},
        "METRICS_KEY": {"name": "recolor-keys", "key": "metrics-key"},
        "RECOLOR_EVENTS_URL": {"name": "recolor-events", "key": "url"},
        "RECOLOR_EVENTS_USER_KEY": {"name": "recolor-events", "key": "user-key"},
        "RECOLOR_REDIS_URL": {"name": "recolor-redis", "key": "url"},
        "RECOLOR_TEACHER_API_KEY": {"name": "recolor-teacher", "key": "api-key"},
    }
    assert secret & shown.keys() <= held.keys()
    assert rendered.all("Secret") == {}


def test_variables_that_others_are_made_of_stand_before_them() -> None:
    """Kubernetes expands `$(NAME)` only if NAME was listed before."""
    names = [it["name"] for it in render().pod()["containers"][0]["env"]]
    assert max(names.index("CALLERS_KEYS"), names.index("METRICS_KEY")) < names.index("RECOLOR_API_KEYS")


@pytest.mark.parametrize(
    "settings", [{}, {"RECOLOR_DEADLINE_SECONDS": 45.5}, {"RECOLOR_RENDER_SECONDS": 120}, {"RECOLOR_RENDER_SECONDS": 2}]
)
def test_a_pod_is_killed_only_after_its_last_answer_is_out(settings: dict[str, float]) -> None:
    rendered = render(SHARED, GATEWAY, CANARY, {"canary": {"settings": settings}, "preStopSeconds": 15})
    spec = rendered.pods()["prod-recolor-canary"]["spec"]
    meant = settings_of(environment(rendered, spec))
    graceful_stop = math.ceil(max(meant.deadline_seconds, meant.render_seconds)) + 1
    assert spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] == 15
    assert spec["terminationGracePeriodSeconds"] > 15 + graceful_stop + CLOSING_SECONDS


def test_proxies_wait_longer_than_the_longest_answer_takes() -> None:
    settings = Settings()
    longest = settings.upload_seconds + max(settings.deadline_seconds, settings.render_seconds)
    request = render(GATEWAY).one("HTTPRoute")["spec"]["rules"][0]["timeouts"]["request"]
    assert int(request.removesuffix("s")) > longest


def test_a_student_of_seven_billion_parameters_has_a_quarter_of_an_hour_to_load() -> None:
    for profile, seconds in (("cpu", 120), ("llama-a100", 900)):
        (container,) = render(profile=profile).pod()["containers"]
        probe = container["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] == seconds
        assert probe["httpGet"]["path"] == container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_the_model_store_is_where_the_service_looks_for_it() -> None:
    for store in STORES:
        rendered = render(store)
        spec = rendered.pod()
        (mount,) = [it for it in spec["containers"][0]["volumeMounts"] if it["name"] == "models"]
        assert mount["mountPath"] == environment(rendered, spec)["RECOLOR_MODEL_STORE"]
        assert mount["readOnly"] is True
    (copying,) = spec["initContainers"]
    assert copying["command"] == ["cp", "-R", "/model_store/.", "/models"]


def test_a_claim_is_made_unless_there_is_one_and_outlives_the_release() -> None:
    made, there = render(STORES[0]), render(STORES[0], {"models": {"claim": {"name": "students"}}})
    assert made.one("PersistentVolumeClaim")["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert there.all("PersistentVolumeClaim") == {}
    claims = [
        volume["persistentVolumeClaim"]["claimName"]
        for it in (made, there)
        for volume in it.pod()["volumes"]
        if "persistentVolumeClaim" in volume
    ]
    assert claims == ["prod-recolor-models", "students"]


def test_events_that_wait_fit_into_their_volume() -> None:
    (volume,) = [it for it in render().pod()["volumes"] if it["name"] == "events"]
    assert int(volume["emptyDir"]["sizeLimit"].removesuffix("Gi")) * 2**30 > 2 * Settings().events_spool_bytes


def test_pods_start_anew_when_a_setting_changes() -> None:
    first, second = (render({"settings": {"RECOLOR_MAX_BATCH": size}}).pods()["prod-recolor"] for size in (1, 2))
    key = "checksum/settings"
    assert first["metadata"]["annotations"][key] != second["metadata"]["annotations"][key]


def test_a_pod_has_a_token_for_nothing() -> None:
    rendered = render()
    assert rendered.pod()["automountServiceAccountToken"] is False
    assert rendered.one("ServiceAccount")["automountServiceAccountToken"] is False
    assert rendered.pod()["serviceAccountName"] == rendered.one("ServiceAccount")["metadata"]["name"]


def test_the_network_is_open_to_what_the_service_needs_and_nothing_else() -> None:
    def ports(*parts: Values) -> list[int]:
        rules = render(*parts).one("NetworkPolicy")["spec"]["egress"]
        return [port["port"] for rule in rules for port in rule["ports"]]

    assert ports() == [53, 53]
    assert ports(SHARED, {"teacher": {"secret": "t", "port": 8443}}) == [53, 53, 5432, 6379, 8443]
    for collector, port in {
        "http://otel.monitoring:4318": 4318,
        "http://10.0.0.7": 80,
        "https://otel.example": 443,
    }.items():
        assert ports({"settings": {"RECOLOR_TRACES_ENDPOINT": collector}}) == [53, 53, port]
    peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway"}}}]
    (ingress,) = render({"networkPolicy": {"from": peers}}).one("NetworkPolicy")["spec"]["ingress"]
    assert ingress == {"ports": [{"port": "http", "protocol": "TCP"}], "from": peers}
