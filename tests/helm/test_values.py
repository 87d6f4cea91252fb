"""Wrong values are refused, and the message says what to do."""

import json
import re
from typing import Any

import helm_python as helm
import pytest
import yaml

from tests.helm.chart import CANARY, CHART, GATEWAY, HPA, KEDA, NGINX, ROLLOUTS, SHARED, Values, render
from tests.helm.settings_schema import VALUES_SCHEMA, settings_schema


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"replicas": 1.5}, "at '/replicas': got number, want integer"),
        ({"model": "recolor-mini"}, "at '/model': 'recolor-mini' does not match pattern"),
        ({"canary": {"weight": 101}}, "at '/canary/weight': maximum: got 101, want 100"),
        ({"settings": {"RECOLOR_MAX_BATCH": 0}}, "at '/settings/RECOLOR_MAX_BATCH': minimum: got 0, want 1"),
        ({"settings": {"RECOLOR_BACKEND": "onnx"}}, "value must be one of 'auto', 'hf', 'vllm'"),
        ({"settings": {"RECOLOR_API_KEYS": "k"}}, "additional properties 'RECOLOR_API_KEYS' not allowed"),
        ({"settings": {"RECOLOR_EVENTS_URL": "u"}}, "additional properties 'RECOLOR_EVENTS_URL' not allowed"),
        ({"replicaCount": 2}, "additional properties 'replicaCount' not allowed"),
        ({"models": {"source": "s3"}}, "value must be one of 'image', 'claim', 'copy'"),
        ({"events": {"volumeSize": "two"}}, "at '/events/volumeSize'"),
        ({"resources": {"limits": {"memory": "2GB"}}}, "at '/resources/limits/memory'"),
        ({"traffic": {"host": "https://looks.example.com"}}, "at '/traffic/host'"),
        ({"startupSeconds": 0}, "at '/startupSeconds': minimum: got 0, want 5"),
    ],
)
def test_a_wrong_value_is_refused_by_name(wrong: Values, message: str) -> None:
    with pytest.raises(helm.HelmValuesError, match=re.escape(message)):
        render(wrong)


REDIS: Values = {"redis": {"secret": "r"}}
EVENTS: Values = {"events": {"secret": "e"}}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([{"replicas": 2}, REDIS], "replicas=2 needs PostgreSQL, where all pods put their events: set events.secret."),
        ([{"replicas": 2}, EVENTS], "replicas=2 needs Redis, which all pods share as their cache: set redis.secret."),
        ([CANARY, GATEWAY], "canary.enabled=true needs PostgreSQL"),
        ([CANARY, GATEWAY, EVENTS], "canary.enabled=true needs Redis"),
        ([HPA, EVENTS], "autoscaling.kind=hpa needs Redis"),
        ([ROLLOUTS, GATEWAY, REDIS], "rollouts.enabled=true needs PostgreSQL"),
        ([{"auth": {"secret": ""}}], "name a Secret in auth.secret, or set auth.open=true"),
        ([{"auth": {"open": True}}], "auth.open=true and auth.secret exclude each other"),
        ([SHARED, CANARY], "canary.enabled=true needs something that shares traffic by weight: set traffic.kind"),
        ([SHARED, CANARY, GATEWAY, {"canary": {"model": ""}}], "needs canary.model, the name@version to try"),
        ([SHARED, CANARY, ROLLOUTS, GATEWAY], "canary.enabled and rollouts.enabled exclude each other"),
        ([SHARED, ROLLOUTS, NGINX, {"rollouts": {"analysis": {"prometheus": ""}}}], "rollouts.analysis.prometheus"),
        ([SHARED, KEDA, {"autoscaling": {"keda": {"prometheus": ""}}}], "needs autoscaling.keda.prometheus"),
        ([SHARED, HPA, {"autoscaling": {"minReplicas": 11}}], "minReplicas is above autoscaling.maxReplicas"),
        ([GATEWAY, {"traffic": {"gateway": {"name": ""}}}], "needs traffic.gateway.name"),
        ([NGINX, {"traffic": {"host": ""}}], "needs traffic.host"),
        ([SHARED, CANARY, GATEWAY, {"settings": {"RECOLOR_VARIANTS": "b:5=m@2"}}], "Have one at a time"),
        ([{"models": {"source": "copy"}}], "needs models.copy.image"),
    ],
)
def test_values_that_are_wrong_together_are_refused_with_what_to_do(parts: list[Values], message: str) -> None:
    with pytest.raises(helm.HelmRenderError, match=re.escape(message)):
        render(*parts)


def test_the_schema_describes_every_value_and_no_other() -> None:
    def names(of: Any, schema: dict[str, Any], path: str = "") -> tuple[set[str], set[str]]:
        """Paths of the values there are, and of those described, down to where either is free."""
        there, described = set(), set()
        if isinstance(of, dict) and "properties" in schema:
            for key in of.keys() | schema["properties"].keys():
                inner = names(of.get(key), schema["properties"].get(key, {}), f"{path}.{key}")
                there |= inner[0] | ({f"{path}.{key}"} if key in of else set())
                described |= inner[1] | ({f"{path}.{key}"} if key in schema["properties"] else set())
        return there, described

    schema = json.loads(VALUES_SCHEMA.read_text(encoding="utf-8"))
    there, described = names(yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8")), schema)
    assert described - there == {".global"}
    assert there <= described


def test_the_schema_knows_every_setting_that_may_be_set() -> None:
    """`python -m tests.helm.settings_schema` brings it up to date."""
    schema = json.loads(VALUES_SCHEMA.read_text(encoding="utf-8"))
    assert schema["$defs"]["settings"]["properties"] == settings_schema()


def test_every_value_is_read_by_a_template() -> None:
    templates = "".join(file.read_text(encoding="utf-8") for file in (CHART / "templates").iterdir())
    schema = json.loads(VALUES_SCHEMA.read_text(encoding="utf-8"))
    schema["properties"].pop("global")

    def leaves(schema: dict[str, Any]) -> set[str]:
        inner = schema.get("properties", {})
        return {name for key, it in inner.items() for name in (leaves(it) or {key})}

    assert {name for name in leaves(schema) if f".{name}" not in templates} <= {
        "maxSurge",
        "requests",
        "limits",
    }  # with their parents
