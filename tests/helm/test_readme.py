"""The README's walk, command by command: each is run against the chart, and what it shows is what is rendered."""

import re
import shlex
from dataclasses import replace
from itertools import pairwise
from typing import Any

import helm_python as helm
import pytest
import yaml

from app.canary.verdict import LEAST_REQUESTS
from app.cli import console
from app.cli.canary import show
from tests.canary.test_verdict import judged, tracks
from tests.helm.chart import CHART, Rendered, Values, over, render, values

README = (CHART / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|yaml|text)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands(shell: str) -> list[list[str]]:
    """The Helm commands among those of a block."""
    lines = shell.replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.startswith("helm ")]


def values_of(command: list[str]) -> Values:
    merged: Values = {}
    for option, value in pairwise(command):
        if option == "--set":
            merged = over(merged, helm.parse_set_string(value))
        elif option == "-f":
            merged = over(merged, values(profile=value.removeprefix("helm/values-").removesuffix(".yaml")))
    return merged


def shows(shown: Any, there: Any) -> bool:
    """Whether everything that is shown is there, in this order."""
    if isinstance(shown, dict):
        return isinstance(there, dict) and all(key in there and shows(it, there[key]) for key, it in shown.items())
    if isinstance(shown, list):
        return len(shown) == len(there) and all(map(shows, shown, there))
    return shown == there


def walk() -> list[tuple[list[str], Rendered, list[dict[str, Any]]]]:
    """Each command, the release after it, and the manifests that the README shows after it."""
    steps: list[tuple[list[str], Rendered, list[dict[str, Any]]]] = []
    release: Values = {}
    for language, text in BLOCKS:
        if language == "yaml":
            steps[-1][2].append(yaml.safe_load(text))
        for command in commands(text) if language == "sh" else ():
            assert command[1:4] == ["install" if not steps else "upgrade", "recolor", "helm/"]
            assert ("--reset-then-reuse-values" in command) == bool(steps)
            release = over(release, values_of(command))
            steps.append((command, render(release, name="recolor"), []))
    return steps


def test_each_command_of_the_walk_is_accepted_and_shows_what_is_rendered() -> None:
    steps = walk()
    assert len(steps) == 9
    shown = [(rendered, it) for _, rendered, blocks in steps for it in blocks]
    assert len(shown) == 6
    for rendered, it in shown:
        assert shows(it, rendered.all(it["kind"])[it["metadata"]["name"]]), it


def test_promotion_and_rollback_leave_one_deployment_with_the_model_they_should() -> None:
    _, _, _, _, _, _, (_, promoted, _), (_, rolled_back, _), (_, argo, _) = walk()
    for rendered in (promoted, rolled_back):
        assert rendered.all("Deployment").keys() == {"recolor"}
        assert {"name": "RECOLOR_MODEL", "value": "recolor-mini@2"} in rendered.pod()["containers"][0]["env"]
    assert argo.all("Rollout").keys() == {"recolor"}


def test_the_readme_lists_every_profile_and_every_limit_of_a_canary() -> None:
    for profile in CHART.glob("values-*.yaml"):
        assert f"| `{profile.name}` |" in README
    for it in yaml.safe_load((CHART / "files/canary.yaml").read_text(encoding="utf-8")):
        assert re.search(rf"\| `{it['series']}` \| .* \| {it['most']} \|", README), it


def test_the_readme_shows_what_recolor_canary_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console.out, "_width", 120)
    show(judged(replace(tracks(), models=frozenset({"recolor-mini@2"}))), "recolor")
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    (shown,) = [text for language, text in BLOCKS if language == "text"]
    assert printed[: len(shown.splitlines())] == shown.splitlines()


def test_the_command_wants_as_many_requests_as_the_recorded_series() -> None:
    for rule in yaml.safe_load((CHART / "files/rules.yaml").read_text(encoding="utf-8"))["groups"][-1]["rules"]:
        if re.match(r"recolor:canary_\w+:(excess|ratio)10m", rule.get("record", "")):
            assert rule["expr"].endswith(f">= {LEAST_REQUESTS}")
