"""Loading a student: whatever is wrong with its files is a ModelStoreError, even where the manifest agrees."""

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from app.settings import Settings
from app.students import ModelStoreError, load_engine
from app.students.store import MANIFEST, read
from tests.students.tiny import Tiny


@pytest.fixture
def folder(tiny: Tiny, tmp_path: Path) -> Path:
    """A copy of the tiny student, to be damaged."""
    shutil.copytree(tiny.store, tmp_path / "store")
    return tmp_path / "store" / "students" / "tiny" / "1"


def load(folder: Path, **changes: Any) -> None:
    load_engine(Settings(model="tiny@1", model_store=folder.parents[2], threads=1, **changes))


def agree(folder: Path) -> None:
    """Make the manifest say what the files are, as if they had been released so."""
    file = folder / MANIFEST
    manifest = json.loads(file.read_text(encoding="utf-8"))
    present = {name: folder / name for name in manifest["files"] if (folder / name).is_file()}
    manifest["files"] = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in present.items()}
    file.write_text(json.dumps(manifest), encoding="utf-8")
    read(folder).verify()


def refuses(folder: Path, message: str) -> None:
    agree(folder)
    with pytest.raises(ModelStoreError, match=message):
        load(folder)


def edit(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    change(content)
    file.write_text(json.dumps(content), encoding="utf-8")


def test_an_untouched_student_loads(folder: Path) -> None:
    agree(folder)
    load(folder)


def test_a_damaged_file_is_found_before_it_is_read(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelStoreError, match=r"model.safetensors is damaged"):
        load(folder)


def test_a_manifest_that_lists_too_little_is_refused(folder: Path) -> None:
    edit(folder / MANIFEST, lambda manifest: manifest["files"].pop("model.safetensors"))
    refuses(folder, r"manifest.json does not list model.safetensors")


@pytest.mark.parametrize("codec", ["json", "morse"])
def test_a_codec_that_it_does_not_write_is_refused(folder: Path, codec: str) -> None:
    edit(folder / MANIFEST, lambda manifest: manifest.update(codec=codec))
    refuses(folder, f"manifest.json: .* codec '{codec}'")


# Weights


class Trap:
    """Leaves a trace where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.trace,))


def test_a_pickle_in_place_of_the_weights_is_refused_and_not_run(folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    (folder / "model.safetensors").write_bytes(pickle.dumps(Trap(trace)))
    refuses(folder, r"model.safetensors does not fit")
    torch.save({"weight": Trap(trace)}, folder / "model.safetensors")
    refuses(folder, r"model.safetensors does not fit")
    assert not trace.exists()


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_truncated_weights_are_refused(folder: Path, kept: int) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    refuses(folder, r"model.safetensors does not fit")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("encoder.embeddings.LayerNorm.weight"), "encoder.embeddings.LayerNorm.weight"),
        (lambda state: state.update(more=torch.zeros(3)), "more"),
        (lambda state: state.update({"encoder.embeddings.LayerNorm.weight": torch.ones(3)}), "size mismatch|Error"),
        (lambda state: state.pop("encoder.embeddings.word_embeddings.weight.scale"), "has no scale"),
        (lambda state: state.pop("decoder.bert.embeddings.word_embeddings.weight.int8"), "word_embeddings"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    folder: Path, change: Callable[[dict[str, torch.Tensor]], object], message: str
) -> None:
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors")
    refuses(folder, rf"model.safetensors does not fit EncoderDecoderModel: .*({message})")


# Configuration


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"model_type": "unheard-of"}', '{"model_type": 7}'])
def test_a_configuration_that_is_none_is_refused(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content, encoding="utf-8")
    refuses(folder, r"config.json")


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config["encoder"].update(num_attention_heads=7),
        lambda config: config["encoder"].update(hidden_size="wide"),
        lambda config: config["encoder"].update(vocab_size=-1),
        lambda config: config["encoder"].update(hidden_act="unheard-of"),
        lambda config: config.update(model_type="bert"),
    ],
)
def test_a_configuration_that_cannot_be_built_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    edit(folder / "config.json", change)
    refuses(folder, r"config.json")


def test_a_configuration_of_another_architecture_is_refused(folder: Path) -> None:
    t5 = {"model_type": "t5", "d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2, "vocab_size": 16}
    (folder / "config.json").write_text(json.dumps(t5), encoding="utf-8")
    refuses(folder, r"config.json is of a T5ForConditionalGeneration")


def test_code_beside_a_configuration_is_not_run(folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    (folder / "evil.py").write_text(f"open({str(trace)!r}, 'w')\nclass Config: ...\n", encoding="utf-8")
    edit(
        folder / "config.json", lambda config: config.update(model_type="evil", auto_map={"AutoConfig": "evil.Config"})
    )
    refuses(folder, r"config.json")
    assert not trace.exists()


def test_a_configuration_of_other_sizes_than_the_weights_is_refused(folder: Path) -> None:
    edit(folder / "config.json", lambda config: config["encoder"].update(num_hidden_layers=3))
    refuses(folder, r"model.safetensors does not fit .*encoder.encoder.layer.2")


# Tokenizers


@pytest.mark.parametrize("name", ["tokenizer.json", "answers/tokenizer.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"model": {"type": "WordPiece"}}'])
def test_a_damaged_tokenizer_is_refused(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content, encoding="utf-8")
    refuses(folder, rf"{name}")


@pytest.mark.parametrize("name", ["tokenizer_config.json", "answers/tokenizer_config.json"])
def test_a_tokenizer_without_its_special_tokens_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("{}", encoding="utf-8")
    refuses(folder, r"tokenizer.json names no pad_token")


def test_a_missing_tokenizer_is_refused_although_the_manifest_does_not_list_it(folder: Path) -> None:
    (folder / "answers" / "tokenizer.json").unlink()
    refuses(folder, r"manifest.json does not list answers/tokenizer.json")


def test_tokenizers_of_another_student_are_refused(folder: Path) -> None:
    edit(
        folder / "tokenizer.json", lambda spec: spec["model"]["vocab"].update({"onemore": len(spec["model"]["vocab"])})
    )
    refuses(folder, r"config.json does not fit the tokenizers")


def test_an_answer_tokenizer_that_lacks_a_symbol_is_refused(folder: Path) -> None:
    def rename(spec: dict[str, Any]) -> None:
        vocabulary = spec["model"]["vocab"]
        vocabulary["<odd>"] = vocabulary.pop("<-7>")

    edit(folder / "answers" / "tokenizer.json", rename)
    refuses(folder, r"answers/tokenizer.json: the answer tokenizer lacks 1 tokens, e.g. <-7>")
