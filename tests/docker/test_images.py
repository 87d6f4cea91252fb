"""The images, as far as they can be proved without a Docker engine: by linter, by parser, by running what they run."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app import __version__
from app.settings import CHECKOUT, Settings
from tests.api.service import PATIENCE, PATIENT_PROCESS, until
from tests.docker.images import SERVICE, VLLM, Recipe
from tests.ports import free_port

RECIPES = {file.name: Recipe(file.read_text(encoding="utf-8")) for file in (SERVICE, VLLM)}
every_recipe = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


def beside_python(name: str) -> Path:
    return Path(sys.executable).with_name(name)


@pytest.mark.parametrize("file", [SERVICE, VLLM], ids=lambda file: file.name)
def test_hadolint_finds_nothing_wrong(file: Path) -> None:
    ran = subprocess.run([beside_python("hadolint"), file], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")


@every_recipe
def test_images_are_built_in_two_stages_on_one_pinned_base(recipe: Recipe) -> None:
    bases = {values[0].split()[0] for stage in range(len(recipe.stages)) if (values := recipe.values("FROM", stage))}
    assert len(recipe.stages) == 2
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases.pop())
    assert bases == set()
    assert "pip" not in " ".join(recipe.values("RUN"))


@every_recipe
def test_images_run_as_the_charts_user_and_say_whether_they_are_well(recipe: Recipe) -> None:
    assert recipe.values("USER") == ["10001:10001"]
    assert recipe.words("ENTRYPOINT") + recipe.words("CMD") == ["recolor", "serve"]
    assert recipe.health_check[0] == "python"
    assert recipe.stages[-1][-1].name == "CMD", "nothing comes after the user has changed"


@every_recipe
def test_labels_and_variables_say_what_is_true(recipe: Recipe) -> None:
    ours = "org.opencontainers.image"
    assert recipe.labels[f"{ours}.version"] == __version__
    assert recipe.labels[f"{ours}.licenses"] == "Apache-2.0"
    set_here = {name for name in recipe.environment if name.startswith("RECOLOR_")}
    assert set_here <= {f"RECOLOR_{name.upper()}" for name in Settings.model_fields}


@every_recipe
def test_the_build_sees_what_it_copies_and_nothing_large_beside(recipe: Recipe) -> None:
    lines = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    shown = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert "*" in lines
    for source in recipe.copied:
        assert source in shown
        assert (CHECKOUT / source).exists()


def test_the_embedded_student_is_in_the_image_where_the_service_looks_for_it() -> None:
    recipe = RECIPES["Dockerfile"]
    name, version = Settings.model_fields["model"].default.split("@")
    (weights,) = [line for line in recipe.values("COPY") if "model_store" in line]
    source, target = weights.split()
    assert source == f"model_store/students/{name}"
    assert target == f"{recipe.environment['RECOLOR_MODEL_STORE']}/students/{name}"
    assert (CHECKOUT / source / version / "model.safetensors").is_file()


def test_the_package_that_an_image_installs_holds_the_charts_queries(tmp_path: Path) -> None:
    """In the checkout they are links; built from what the build sees, they are files."""
    source, built = tmp_path / "source", tmp_path / "built"
    for name in RECIPES["Dockerfile"].copied:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, source / name, symlinks=True)
        else:
            shutil.copy(CHECKOUT / name, source / name)
    command = [sys.executable, "-c", "import setuptools; setuptools.setup()", "-q", "build_py", f"--build-lib={built}"]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    for name in ("canary.yaml", "rules.yaml"):
        file = built / "app/canary" / name
        assert not file.is_symlink()
        assert file.read_bytes() == (CHECKOUT / "helm/files" / name).read_bytes()


def test_every_library_of_the_service_is_pinned_to_a_version_that_it_asks_for() -> None:
    lines = (CHECKOUT / "docker/constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    pinned = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for line in (*project["dependencies"], *extras["postgres"], *extras["traces"]):
        asked = Requirement(line)
        assert asked.specifier.contains(pinned[canonicalize_name(asked.name)]), line


def test_the_service_starts_as_the_image_starts_it_and_its_health_check_tells_when_it_is_ready(tmp_path: Path) -> None:
    """The entry point and the environment of the image, in an empty directory; only paths and port are others."""
    recipe = RECIPES["Dockerfile"]
    store = tmp_path / "model_store"
    store.symlink_to(CHECKOUT / "model_store")
    (work := tmp_path / "work").mkdir()
    here = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(work),
        "RECOLOR_MODEL_STORE": str(store),
        "RECOLOR_EVENTS_FOLDER": str(tmp_path / "events"),
        "RECOLOR_PORT": str(free_port()),
        "PYTHONPATH": str(CHECKOUT),
    }
    environment = {**recipe.environment, **PATIENT_PROCESS, **here, "RECOLOR_API_KEYS": "key"}

    def healthy() -> bool:
        ran = subprocess.run(recipe.health_check, env=environment, cwd=work, capture_output=True, check=False)
        return ran.returncode == 0

    assert not healthy()
    command = [*recipe.words("ENTRYPOINT"), *recipe.words("CMD")]
    process = subprocess.Popen(command, env=environment, cwd=work, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert "Recolor is ready" in process.stdout.readline()
        until(healthy)  # it has little time to answer
        url = f"http://127.0.0.1:{here['RECOLOR_PORT']}/recolor"
        headers = {"Authorization": "Bearer key"}
        asked = httpx.post(url, json={"intent": "golden hour"}, headers=headers, timeout=PATIENCE)
        assert asked.json()["sources"]["adjust"] == "student"
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert list(work.iterdir()) == []


def test_both_images_listen_where_the_chart_expects_them() -> None:
    for recipe in RECIPES.values():
        assert recipe.values("EXPOSE") == [recipe.environment["RECOLOR_PORT"]] == ["8000"]
        assert recipe.environment["RECOLOR_HOST"] == "0.0.0.0"
        # The chart mounts its volumes there.
        assert recipe.environment["RECOLOR_EVENTS_FOLDER"] == "/events"
        assert recipe.environment["HOME"] == "/tmp"
