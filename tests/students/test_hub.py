"""Pulling from a hub that speaks the real protocol, by the real library."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.students.hub_server import COMMIT, Hub, serve_hub
from tests.students.tiny_writers import t5, t5_tokenizer

NAME = "google/flan-t5-tiny"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a base model, as the hub has them."""
    folder = tmp_path_factory.mktemp("base")
    tokenizer = t5_tokenizer(tmp_path_factory.mktemp("vocabulary"))
    t5(tokenizer, "json").save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


@pytest.fixture
def hub(base: dict[str, bytes]) -> Iterator[Hub]:
    with serve_hub(Hub(NAME, {**base, "pytorch_model.bin": b"pickled", "README.md": b"# T5"})) as running:
        yield running


def pull(hub: Hub, store: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`recolor models pull`, in a process of its own: the library reads its address and token once, when it is loaded."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", "models", "pull", NAME, "--as", "flan-t5-tiny@1", *arguments],
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(store.parent),
            "HF_ENDPOINT": hub.url,
            "RECOLOR_MODEL_STORE": str(store),
            "COLUMNS": "500",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_pull_notes_commit_and_licence_and_takes_no_pickled_weights(
    hub: Hub, tmp_path: Path, base: dict[str, bytes]
) -> None:
    result = pull(hub, tmp_path / "store")
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "store" / "students" / "flan-t5-tiny" / "1"
    assert {file.name for file in folder.iterdir()} == {*base, "manifest.json"}
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["role"], manifest["base_model"], manifest["revision"]) == ("base", NAME, COMMIT)
    assert manifest["licence"] == "apache-2.0"
    assert "apache-2.0" in result.stdout
    assert not list((tmp_path / "store" / "students").glob(".*"))


def test_a_pull_that_was_cut_goes_on_where_it_stopped(hub: Hub, tmp_path: Path, base: dict[str, bytes]) -> None:
    hub.broken_after = 1000
    cut = pull(hub, tmp_path / "store")
    if cut.returncode:  # where the library does not go on by itself
        assert "pull" in cut.stderr or "reached" in cut.stderr
        assert pull(hub, tmp_path / "store").returncode == 0
    starts = [start for name, start in hub.served if name == "model.safetensors"]
    assert starts[0] == 0
    assert starts[-1] >= 1000
    file = tmp_path / "store" / "students" / "flan-t5-tiny" / "1" / "model.safetensors"
    assert file.read_bytes() == base["model.safetensors"]


def test_weights_that_are_not_those_of_the_hub_are_refused(hub: Hub, tmp_path: Path) -> None:
    hub.claimed = "0" * 64
    result = pull(hub, tmp_path / "store")
    assert result.returncode == 1
    assert "model.safetensors arrived damaged" in result.stderr
    assert not (tmp_path / "store" / "students" / "flan-t5-tiny").exists()


def test_a_licence_that_must_be_accepted_is_told_with_what_to_do(hub: Hub, tmp_path: Path) -> None:
    hub.gated = True
    result = pull(hub, tmp_path / "store")
    assert result.returncode == 1
    assert "licence to be accepted first" in result.stderr
    assert "HF_TOKEN" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (("--revision", "nonsense"), {}, "has no revision nonsense"),
        ((), {"HF_HUB_OFFLINE": "1"}, "cannot be reached"),
        ((), {"HF_ENDPOINT": "http://127.0.0.1:9"}, "cannot be reached"),
        (("--as", "Wrong Name"), {}, "not of the form name@version"),
    ],
)
def test_what_cannot_be_pulled_is_one_clear_line(
    arguments: tuple[str, ...], variables: dict[str, str], words: str, hub: Hub, tmp_path: Path
) -> None:
    result = pull(hub, tmp_path / "store", *arguments, **variables)
    assert result.returncode == 1
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_a_model_without_safetensors_is_refused(hub: Hub, tmp_path: Path) -> None:
    del hub.files["model.safetensors"]
    result = pull(hub, tmp_path / "store")
    assert result.returncode == 1
    assert "no weights in safetensors" in result.stderr
