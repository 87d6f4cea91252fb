"""The model store: what is in it is found by name, checked by hash, and never overwritten."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from app.distill.release import DRAFTS, Release, draft, publish
from app.students.hf import ANSWERS, load_network
from app.students.manifest import SlotThresholds
from app.students.store import MANIFEST, ModelStore, ModelStoreError, read
from tests.students.tiny import Tiny


@pytest.fixture
def store(tiny: Tiny, tmp_path: Path) -> ModelStore:
    """A copy of the tiny student's store, to be damaged."""
    shutil.copytree(tiny.store, tmp_path / "store")
    return ModelStore(tmp_path / "store")


@pytest.fixture
def folder(store: ModelStore) -> Path:
    return store.students / "tiny" / "1"


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    file = folder / MANIFEST
    manifest = json.loads(file.read_text(encoding="utf-8"))
    change(manifest)
    file.write_text(json.dumps(manifest), encoding="utf-8")


# Release


def test_a_release_is_complete_and_verifies(tiny: Tiny) -> None:
    files = {file.relative_to(tiny.path).as_posix() for file in tiny.path.rglob("*") if file.is_file()}
    assert files - set(tiny.stored.manifest.files) == {MANIFEST, "README.md"}
    assert set(tiny.stored.manifest.files) >= {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "answers/tokenizer.json",
        "answers/tokenizer_config.json",
    }
    tiny.stored.verify()


def test_a_release_says_how_it_came_about(tiny: Tiny) -> None:
    manifest = tiny.stored.manifest
    assert manifest.model == "tiny@1"
    assert manifest.architecture == "EncoderDecoderModel"
    assert (manifest.codec, manifest.decoding) == ("compact", "constrained")
    assert set(manifest.datasets) == {"teacher.jsonl"}
    assert manifest.training["plan"]["seed"] == 2
    assert manifest.training["examples"] == 96
    assert [entry["epoch"] for entry in manifest.training["epochs"]] == [1]
    assert manifest.scores["test"]["scores"]["All"]["rows"] == 60
    assert manifest.scores["free"]["decoding"] == "free"
    card = (tiny.path / "README.md").read_text(encoding="utf-8")
    overall = manifest.scores["test"]["scores"]["All"]["overall"]
    assert "# tiny@1" in card
    assert f"**{overall:.3f}**" in card
    assert "seed 2" in card


def test_a_release_says_nothing_of_the_machine_it_was_made_on(tiny: Tiny) -> None:
    root = str(tiny.encoder.parent)
    for file in tiny.path.rglob("*"):
        assert file.is_dir() or root.encode() not in file.read_bytes(), file.name


def test_a_version_is_never_overwritten(tiny: Tiny, store: ModelStore, folder: Path) -> None:
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    with pytest.raises(ModelStoreError, match="exists; a version is never overwritten"):
        again(tiny, store, version=1)
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_the_next_version_lies_beside_it(tiny: Tiny, store: ModelStore) -> None:
    path = again(tiny, store, version=2)
    assert [stored.manifest.model for stored in store] == ["tiny@1", "tiny@2"]
    assert path == store.students / "tiny" / "2"
    read(path).verify()


def test_versions_are_listed_by_number(tiny: Tiny, store: ModelStore) -> None:
    for version in (10, 2):
        again(tiny, store, version)
    assert [stored.manifest.version for stored in store] == [1, 2, 10]


def test_what_a_killed_release_left_is_no_student_and_is_replaced(tiny: Tiny, store: ModelStore) -> None:
    left = store.students / DRAFTS / "tiny" / "2"
    shutil.copytree(store.students / "tiny" / "1", left)
    (left / "left-over").touch()
    assert [stored.manifest.model for stored in store] == ["tiny@1"]
    released = again(tiny, store, version=2)
    assert [stored.manifest.model for stored in store] == ["tiny@1", "tiny@2"]
    assert not (released / "left-over").exists()
    assert not (store.students / DRAFTS).exists()


def again(tiny: Tiny, store: ModelStore, version: int) -> Path:
    """Release the same network once more."""
    facts = Release("tiny", version, "Apache-2.0", "none", {}, {}, SlotThresholds())
    network = load_network(tiny.path, tiny.stored.manifest)
    reader, answers = (PreTrainedTokenizerFast.from_pretrained(path) for path in (tiny.path, tiny.path / ANSWERS))
    return publish(draft(store.students.parent, network, reader, answers, facts))


# Finding


def test_a_student_is_found_by_name_and_version(store: ModelStore) -> None:
    assert store.find("tiny@1").manifest.model == "tiny@1"


@pytest.mark.parametrize("model", ["tiny", "tiny@", "@1", "tiny@0", "tiny@01", "tiny@1.part", "../tiny@1", "tiny@1\n"])
def test_a_name_that_is_none_is_refused(store: ModelStore, model: str) -> None:
    with pytest.raises(ModelStoreError, match=r"not of the form name@version"):
        store.find(model)


@pytest.mark.parametrize("model", ["tiny@2", "other@1"])
def test_a_student_that_is_not_there_is_named_beside_those_that_are(store: ModelStore, model: str) -> None:
    with pytest.raises(ModelStoreError, match=rf"no student {model} in .*\(there: tiny@1\)"):
        store.find(model)


def test_an_empty_store_has_no_students(tmp_path: Path) -> None:
    assert list(ModelStore(tmp_path)) == []
    with pytest.raises(ModelStoreError, match=r"\(there: none\)"):
        ModelStore(tmp_path).find("tiny@1")


# Damage: the message names the file and says what to do

REMEDY = "restore it .* or train .* anew"


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "answers/tokenizer.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelStoreError, match=rf"{name} is missing; {REMEDY}"):
        read(folder).verify()


def test_a_truncated_file_is_named(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ModelStoreError, match=rf"model.safetensors is damaged.*; {REMEDY}"):
        read(folder).verify()


def test_a_flipped_bit_is_found(folder: Path) -> None:
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelStoreError, match=rf"model.safetensors is damaged.*; {REMEDY}"):
        read(folder).verify()


def test_a_folder_in_place_of_a_file_is_a_missing_file(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()
    with pytest.raises(ModelStoreError, match=r"config.json is missing"):
        read(folder).verify()


def test_a_missing_manifest_is_named(store: ModelStore, folder: Path) -> None:
    (folder / MANIFEST).unlink()
    with pytest.raises(ModelStoreError, match=rf"manifest.json is missing; {REMEDY}"):
        store.find("tiny@1")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"name": "tiny"'])
def test_a_damaged_manifest_is_named(store: ModelStore, folder: Path, content: bytes) -> None:
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(ModelStoreError, match=rf"manifest.json is damaged: .*; {REMEDY}"):
        store.find("tiny@1")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda manifest: manifest.update(colour="blue"), "colour: Extra inputs"),
        (lambda manifest: manifest.pop("licence"), "licence: Field required"),
        (lambda manifest: manifest.update(version=0), "version: "),
        (lambda manifest: manifest.update(decoding="greedy"), "decoding: "),
        (lambda manifest: manifest["files"].update({"config.json": "abc"}), "files.config.json: "),
        (lambda manifest: manifest["thresholds"]["used"].update(filter=0), "thresholds.used.filter: "),
        (lambda manifest: manifest["thresholds"].update(shrink=-1), "thresholds.shrink: "),
    ],
)
def test_a_wrong_field_of_a_manifest_is_named(
    store: ModelStore, folder: Path, change: Callable[[dict[str, Any]], object], named: str
) -> None:
    edit(folder, change)
    with pytest.raises(ModelStoreError, match=rf"manifest.json is damaged: {named}"):
        store.find("tiny@1")


@pytest.mark.parametrize("change", [{"name": "other"}, {"version": 2}])
def test_a_manifest_of_another_student_is_damage(store: ModelStore, folder: Path, change: dict[str, Any]) -> None:
    edit(folder, lambda manifest: manifest.update(change))
    with pytest.raises(ModelStoreError, match=r"manifest.json is damaged: it is of (other@1|tiny@2)"):
        store.find("tiny@1")
