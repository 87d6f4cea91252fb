"""docker/compose.yaml and what it mounts."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from app import __version__
from app.settings import CHECKOUT, Settings

DOCKER = CHECKOUT / "docker"
COMPOSE = DOCKER / "compose.yaml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]


def mounted(service: str) -> dict[str, Path]:
    """Files of the checkout by where the service finds them."""
    volumes = [volume.split(":") for volume in SERVICES[service]["volumes"]]
    return {target: DOCKER / source for source, target, *_ in volumes if source.startswith(".")}


def test_the_file_is_what_the_compose_specification_says() -> None:
    assert PyCompose.from_yaml(COMPOSE.read_text(encoding="utf-8")).service_names() == list(SERVICES)


def test_a_wrong_field_would_be_found() -> None:
    with pytest.raises(ValueError, match="prots"):
        PyCompose.from_yaml("services: {recolor: {image: recolor, prots: []}}")


def test_every_image_is_pinned_and_nothing_listens_beyond_the_machine() -> None:
    for service in SERVICES.values():
        assert service["image"].rpartition(":")[2][0].isdigit() or service["image"].rpartition(":")[2][0] == "v"
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert SERVICES["recolor"]["image"] == f"recolor:{__version__}"


def test_everything_that_is_mounted_or_built_is_there() -> None:
    build = SERVICES["recolor"]["build"]
    assert (DOCKER / build["context"] / build["dockerfile"]).is_file()
    files = [source for name, it in SERVICES.items() if "volumes" in it for source in mounted(name).values()]
    assert len(files) == 5
    assert all(file.is_file() for file in files)


def test_the_service_gets_settings_that_it_knows_and_time_to_end() -> None:
    service, settings = SERVICES["recolor"], Settings()
    known = {f"RECOLOR_{name.upper()}" for name in Settings.model_fields}
    assert service["environment"].keys() <= known
    assert service["read_only"] is True
    longest = max(settings.deadline_seconds, settings.render_seconds)
    assert int(service["stop_grace_period"].removesuffix("s")) > longest + 1 + 20


def test_promtool_accepts_prometheus_configuration_with_the_rules_beside_it(
    program: Callable[[str], str], tmp_path: Path
) -> None:
    for target, source in mounted("prometheus").items():
        copy(source, tmp_path / Path(target).name)
    checked = subprocess.run(
        [program("promtool"), "check", "config", tmp_path / "prometheus.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "rules found" in checked.stdout


def test_grafana_finds_its_data_source_and_its_dashboard() -> None:
    files = mounted("grafana")
    (source,) = yaml.safe_load((DOCKER / "grafana/datasources.yaml").read_text(encoding="utf-8"))["datasources"]
    host, port = source["url"].removeprefix("http://").split(":")
    assert port in SERVICES[host]["ports"][0].split(":")
    (provider,) = yaml.safe_load((DOCKER / "grafana/dashboards.yaml").read_text(encoding="utf-8"))["providers"]
    assert any(Path(target).parent == Path(provider["options"]["path"]) for target in files)
