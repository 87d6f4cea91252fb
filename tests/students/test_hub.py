"""Pulling from a hub that speaks the real protocol, by the real library."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
import torch
from click.testing import Result
from safetensors.torch import save
from transformers import LlamaConfig

from app.students.store import ModelStore
from tests.cli.conftest import recolor
from tests.students.hub_server import COMMIT, Hub, serve_hub

NAME = "meta-llama/Tiny-Llama-hf"
ENTRY = "tiny-llama@1"
CHUNK = huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE
"""The library hands on what it has read in pieces of this size; a piece that was begun is lost."""
WEIGHTS = save({"weight": torch.zeros(5 * CHUNK // 2, dtype=torch.uint8)})
FILES = {
    "config.json": LlamaConfig(architectures=["LlamaForCausalLM"]).to_json_string().encode(),
    "model.safetensors": WEIGHTS,
    "tokenizer.json": b"{}",
}
NOT_TAKEN = {"pytorch_model.bin": b"pickled", "README.md": b"# Llama", "onnx/config.json": b"{}"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve_hub(Hub(NAME, {**FILES, **NOT_TAKEN})) as running:
        # The library reads its address once, when it is loaded.
        at = {
            "ENDPOINT": running.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": running.url + "/{repo_id}/resolve/{revision}/{filename}",
        }
        for name, value in at.items():
            monkeypatch.setattr(huggingface_hub.constants, name, value)
        yield running


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    monkeypatch.setenv("RECOLOR_MODEL_STORE", str(tmp_path / "store"))
    return ModelStore(tmp_path / "store")


def pull(*arguments: str) -> Result:
    return recolor("models", "pull", NAME, *arguments)


def refused(result: Result, words: str) -> None:
    assert result.exit_code == 1, result.output
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_a_pull_notes_commit_and_licence_and_takes_no_pickled_weights(hub: Hub, store: ModelStore) -> None:
    result = pull()
    assert result.exit_code == 0, result.output
    assert "licence: apache-2.0" in result.stdout
    stored = store.find(ENTRY)
    assert {file.name: file.read_bytes() for file in stored.path.iterdir() if file.name != "manifest.json"} == FILES
    manifest = stored.manifest
    assert (manifest.role, manifest.base_model, manifest.revision) == ("base", NAME, COMMIT)
    assert (manifest.licence, manifest.architecture) == ("apache-2.0", "LlamaForCausalLM")
    stored.verify()
    assert [folder.name for folder in store.students.iterdir()] == ["tiny-llama"]


def test_a_licence_with_a_name_of_its_own_is_noted_by_it(hub: Hub, store: ModelStore) -> None:
    hub.licence, hub.licence_name = "other", "llama-99-community"
    assert pull().exit_code == 0
    assert store.find(ENTRY).manifest.licence == "llama-99-community"


def test_a_connection_that_drops_is_taken_up_where_it_broke(hub: Hub, store: ModelStore) -> None:
    hub.broken_after = CHUNK + 1000
    assert pull().exit_code == 0
    assert [start for name, start in hub.served if name == "model.safetensors"] == [0, CHUNK]
    store.find(ENTRY).verify()


def test_a_pull_that_was_killed_leaves_nothing_that_is_found_and_the_next_goes_on_at_its_byte(
    hub: Hub, store: ModelStore
) -> None:
    hub.stalled_after = CHUNK + 1000
    environment = os.environ | {"HF_ENDPOINT": hub.url}
    command = [sys.executable, "-m", "app.cli", "models", "pull", NAME]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as killed:
        assert hub.stalled.wait(120)
        while not any(part.stat().st_size >= CHUNK for part in store.students.rglob("*.part")):
            time.sleep(0.01)
        killed.kill()
    assert list(store) == []
    assert recolor("models", "list").exit_code == 0

    assert pull().exit_code == 0
    assert [start for name, start in hub.served if name == "model.safetensors"] == [0, CHUNK]
    stored = store.find(ENTRY)
    stored.verify()
    assert (stored.path / "model.safetensors").read_bytes() == WEIGHTS
    assert [folder.name for folder in store.students.iterdir()] == ["tiny-llama"]


def test_weights_that_are_whole_are_not_fetched_again_and_those_of_another_commit_are(
    hub: Hub, store: ModelStore
) -> None:
    draft = store.students / ".drafts" / "tiny-llama" / "1"
    draft.mkdir(parents=True)
    (draft / "model.safetensors").write_bytes(WEIGHTS)
    (draft / "old.safetensors").write_bytes(b"of another commit")
    (draft / "config.json").write_bytes(b"of another commit")
    assert pull().exit_code == 0
    assert sorted(hub.served) == [("config.json", 0), ("tokenizer.json", 0)]
    assert {file.name for file in store.find(ENTRY).path.iterdir()} == {*FILES, "manifest.json"}


def test_weights_that_are_not_those_of_the_hub_are_refused(hub: Hub, store: ModelStore) -> None:
    hub.claimed = "0" * 64
    refused(pull(), "model.safetensors arrived damaged")
    assert list(store) == []
    hub.claimed = None
    assert pull().exit_code == 0


def test_a_licence_that_must_be_accepted_is_told_with_what_to_do(hub: Hub, store: ModelStore) -> None:
    hub.gated = True
    result = pull()
    refused(result, f"licence to be accepted first: do so at https://huggingface.co/{NAME}")
    assert "HF_TOKEN" in result.stderr


def test_a_disk_without_room_is_told_before_anything_is_fetched(
    hub: Hub, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.students.adding.SPARE_BYTES", 1 << 60)
    refused(pull(), "make room, or set RECOLOR_MODEL_STORE to another disk")
    assert hub.served == []


def test_what_cannot_be_pulled_is_one_clear_line(hub: Hub, store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(pull("--revision", "nonsense"), "has no revision nonsense")
    refused(pull("--as", "Wrong Name"), "not of the form name@version")
    refused(recolor("models", "pull", "nobody/nothing"), "the hub knows no nobody/nothing")
    assert hub.served == []
    assert pull().exit_code == 0
    refused(pull(), f"{ENTRY} exists")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    refused(pull("--as", "tiny-llama@2"), "cannot be reached")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    result = pull("--as", "tiny-llama@2")
    refused(result, "cannot be reached")
    assert "recolor models add" in result.stderr


@pytest.mark.parametrize(
    ("lacking", "words"),
    [("model.safetensors", "no weights in safetensors"), ("config.json", "has no config.json")],
)
def test_a_repository_that_is_no_model_is_refused(hub: Hub, store: ModelStore, lacking: str, words: str) -> None:
    del hub.files[lacking]
    refused(pull(), words)
    assert hub.served == []
