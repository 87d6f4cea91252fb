"""Base models and students from folders: what the store takes, what it refuses, and what is left behind."""

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from safetensors.torch import save_file
from transformers import LlamaConfig

from app.cli import console
from app.students.manifest import Manifest
from app.students.store import ModelStore, sha256, write
from tests.cli.conftest import recolor


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    monkeypatch.setenv("RECOLOR_MODEL_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(console.out, "_width", 200)
    return ModelStore(tmp_path / "store")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A base model as the transformers library leaves it, in two files of weights, and other files beside it."""
    folder = tmp_path / "Tiny-Llama"
    (folder / "runs").mkdir(parents=True)
    LlamaConfig(architectures=["LlamaForCausalLM"]).save_pretrained(folder)
    shards = {f"model-0000{part}-of-00002.safetensors": f"layer.{part}" for part in (1, 2)}
    for name, tensor in shards.items():
        save_file({tensor: torch.zeros(1000)}, folder / name)
    index = {"metadata": {}, "weight_map": {tensor: name for name, tensor in shards.items()}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    for name in ("tokenizer.json", "pytorch_model.bin", "modeling_llama.py", "runs/log.json"):
        (folder / name).write_text("{}")
    return folder


def student(folder: Path, base: str | None = None, **changes: Any) -> Path:
    """A student's folder, as another store has it."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "README.md").write_text("# A student")
    save_file({"weight": torch.zeros(1000)}, folder / "model.safetensors")
    facts = {
        "name": "look",
        "version": 3,
        "architecture": "LlamaForCausalLM",
        "codec": "letters",
        "decoding": "constrained",
        "prompt": "chat",
        "base": base,
        "licence": "Apache-2.0",
        "base_model": "none",
        "datasets": {"teacher.jsonl": "0" * 64},
        "training": {"command": "recolor train"},
        "scores": {"test": {"scores": {"All": {"overall": 0.5}}}},
        "files": {name: sha256(folder / name) for name in ("config.json", "model.safetensors")},
    }
    write(folder, Manifest(**(facts | changes)))
    return folder


def add(folder: Path, *arguments: str) -> Result:
    return recolor("models", "add", folder, *arguments)


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(result: Result, words: str, code: int = 1) -> None:
    assert result.exit_code == code, result.output
    assert words in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


# Base models


def test_a_base_model_is_taken_with_its_licence_and_without_pickles_and_code(store: ModelStore, folder: Path) -> None:
    assert "added tiny-llama@1 (Llama 9)" in done(add(folder, "--licence", "Llama 9"))
    stored = store.find("tiny-llama@1")
    stored.verify()
    assert set(stored.manifest.files) == {
        "config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
    }
    assert {file.name for file in stored.path.iterdir()} == {*stored.manifest.files, "manifest.json"}
    assert (stored.manifest.role, stored.manifest.architecture) == ("base", "LlamaForCausalLM")
    assert (stored.manifest.licence, stored.manifest.base_model) == ("Llama 9", "Tiny-Llama")
    assert [entry.name for entry in store.students.iterdir()] == ["tiny-llama"]


def test_what_is_in_the_store_is_listed_shown_and_verified(store: ModelStore, folder: Path) -> None:
    done(add(folder, "--licence", "Apache-2.0", "--as", "base@7"))
    listed = done(recolor("models", "list"))
    assert all(words in listed for words in ("base@7", "base", "LlamaForCausalLM", "Apache-2.0"))
    shown = done(recolor("models", "show", "base"))
    assert all(words in shown for words in ("base@7", "Tiny-Llama", "Apache-2.0", "model-00001-of-00002.safetensors"))
    assert "base@7: 5 files as the manifest says" in done(recolor("models", "verify", "base@7"))
    (store.find("base@7").path / "tokenizer.json").write_text("[]")
    refused(recolor("models", "verify"), "tokenizer.json is damaged")


def test_a_base_model_answers_nothing(store: ModelStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done(add(folder, "--licence", "Apache-2.0"))
    monkeypatch.setenv("RECOLOR_MODEL", "tiny-llama@1")
    refused(recolor("evaluate"), "tiny-llama@1 is a base model, no student; train one")


def test_a_base_model_needs_a_licence(store: ModelStore, folder: Path) -> None:
    refused(add(folder), "name the base model's licence", code=2)


@pytest.mark.parametrize(
    ("remove", "words"),
    [
        (".", "there is no folder"),
        ("config.json", "has no config.json"),
        ("*.safetensors", "no weights in safetensors; pickled weights (.bin, .pt) can run code"),
        ("model-00002*", "model-00002-of-00002.safetensors is missing, which model.safetensors.index.json lists"),
    ],
)
def test_a_folder_that_is_no_whole_model_is_refused(store: ModelStore, folder: Path, remove: str, words: str) -> None:
    if remove == ".":
        shutil.rmtree(folder)
    for file in [*folder.glob(remove)] if remove != "." else []:
        file.unlink()
    refused(add(folder, "--licence", "Apache-2.0"), words)
    assert not any(store.students.rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.json", b"{", "config.json cannot be used"),
        ("config.json", b'{"model_type": "unheard-of"}', "config.json cannot be used"),
        ("config.json", b"[]", "config.json cannot be used"),
        ("model.safetensors.index.json", b"[]", "model.safetensors.index.json is no list of weights"),
        ("model-00001-of-00002.safetensors", b"\x80\x04pickled", "model-00001-of-00002.safetensors is damaged"),
        ("model-00001-of-00002.safetensors", b"", "model-00001-of-00002.safetensors is damaged"),
    ],
)
def test_damaged_files_are_refused(store: ModelStore, folder: Path, name: str, content: bytes, words: str) -> None:
    (folder / name).write_bytes(content)
    refused(add(folder, "--licence", "Apache-2.0"), words)
    assert not any(store.students.rglob("*.safetensors"))


def test_weights_that_were_cut_short_are_refused(store: ModelStore, folder: Path) -> None:
    weights = folder / "model-00001-of-00002.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    refused(add(folder, "--licence", "Apache-2.0"), "model-00001-of-00002.safetensors is damaged")


def test_a_version_is_never_overwritten(store: ModelStore, folder: Path) -> None:
    done(add(folder, "--licence", "Apache-2.0"))
    refused(add(folder, "--licence", "MIT"), "tiny-llama@1 exists")
    assert store.find("tiny-llama@1").manifest.licence == "Apache-2.0"
    done(add(folder, "--licence", "MIT", "--as", "tiny-llama@2"))


@pytest.mark.parametrize("name", ["tiny", "Tiny@1", "../tiny@1", "tiny@0", "tiny@1.5", "@1"])
def test_a_name_that_is_none_is_refused(store: ModelStore, folder: Path, name: str) -> None:
    refused(add(folder, "--licence", "Apache-2.0", "--as", name), "is not of the form name@version")


def test_a_disk_without_room_is_told_before_anything_is_copied(
    store: ModelStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.students.adding.SPARE_BYTES", 1 << 60)
    refused(add(folder, "--licence", "Apache-2.0"), "make room, or set RECOLOR_MODEL_STORE to another disk")
    assert [*store.students.iterdir()] == []


class KilledError(Exception):
    """Ends an addition where a signal would: nothing is tidied up after it."""


@pytest.mark.parametrize("step", ["shutil.copy2", "write"])
def test_what_was_killed_while_it_was_added_is_not_found_and_can_be_added_again(
    store: ModelStore, folder: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def kill(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(f"app.students.adding.{step}", kill)
        assert isinstance(add(folder, "--licence", "Apache-2.0").exception, KilledError)
    assert any(store.students.iterdir())
    assert [*store] == []
    done(add(folder, "--licence", "Apache-2.0"))
    assert [entry.name for entry in store.students.iterdir()] == ["tiny-llama"]


def test_a_disk_that_fills_up_is_told(store: ModelStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("app.students.adding.shutil.copy2", fail)
    refused(add(folder, "--licence", "Apache-2.0"), "config.json cannot be copied")


# Students


def test_a_student_is_taken_from_another_store_with_all_that_is_known_of_it(store: ModelStore, tmp_path: Path) -> None:
    source = student(tmp_path / "3")
    (source / "notes.txt").write_text("not in the manifest")
    assert "added mine@1" in done(add(source, "--as", "mine@1"))
    stored = store.find("mine@1")
    stored.verify()
    theirs = Manifest.model_validate_json((source / "manifest.json").read_bytes())
    assert stored.manifest == theirs.model_copy(update={"name": "mine", "version": 1})
    assert {file.name for file in stored.path.iterdir()} == {
        "config.json",
        "model.safetensors",
        "manifest.json",
        "README.md",
    }
    assert "0.500" in done(recolor("models", "list"))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"name": "look"}'])
def test_a_student_whose_manifest_is_damaged_is_refused(store: ModelStore, tmp_path: Path, content: str) -> None:
    source = student(tmp_path / "3")
    (source / "manifest.json").write_text(content)
    refused(add(source, "--as", "mine@1"), "manifest.json cannot be read")


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/../../secret", "", "..\\secret"])
def test_a_manifest_that_names_files_elsewhere_is_refused(store: ModelStore, tmp_path: Path, name: str) -> None:
    source = student(tmp_path / "3")
    (tmp_path / "secret").write_text("secret")
    manifest = json.loads((source / "manifest.json").read_text())
    manifest["files"][name] = sha256(tmp_path / "secret")
    (source / "manifest.json").write_text(json.dumps(manifest))
    refused(add(source, "--as", "mine@1"), "names no file inside the model's folder")
    assert not any(store.students.rglob("*"))


def test_a_student_whose_files_are_not_those_of_its_manifest_is_refused(store: ModelStore, tmp_path: Path) -> None:
    source = student(tmp_path / "3")
    (source / "model.safetensors").write_bytes(b"")
    refused(add(source, "--as", "mine@1"), "model.safetensors is damaged")
    (source / "model.safetensors").unlink()
    refused(add(source, "--as", "mine@1"), "model.safetensors is missing")
    assert [*store] == []


def test_an_adapter_needs_its_base_and_the_base_stays_while_it_does(
    store: ModelStore, folder: Path, tmp_path: Path
) -> None:
    source = student(tmp_path / "3", base="tiny-llama@1")
    refused(add(source, "--as", "adapter@1"), "adapter@1 is an adapter on tiny-llama@1, which is not in")
    done(add(folder, "--licence", "Apache-2.0"))
    done(add(source, "--as", "adapter@1"))
    refused(recolor("models", "remove", "tiny-llama@1", "--yes"), "adapter@1 is an adapter on tiny-llama@1")
    assert "removed adapter@1" in done(recolor("models", "remove", "adapter@1", "--yes"))
    assert "removed tiny-llama@1" in done(recolor("models", "remove", "tiny-llama@1", "--yes"))
    assert [*store.students.iterdir()] == []


# Removal


def test_a_removal_is_asked_about_and_takes_one_version_only(store: ModelStore, folder: Path) -> None:
    for version in (1, 2):
        done(add(folder, "--licence", "Apache-2.0", "--as", f"base@{version}"))
    assert recolor("models", "remove", "base@1").exit_code == 1, "nobody said yes"
    assert len([*store]) == 2
    done(recolor("models", "remove", "base@1", "--yes"))
    assert [stored.manifest.model for stored in store] == ["base@2"]
    refused(recolor("models", "remove", "base@1", "--yes"), "there is no student base@1")
