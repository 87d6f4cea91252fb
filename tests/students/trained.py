"""Tiny students of the real architectures, fine-tuned in seconds by `recolor train`.

A network that has read nothing cannot learn from a few hundred rows what "moody" means. So the data are few of the
teacher's looks, each asked for in many ways: what is learned from most of the ways is tested on the others.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from transformers import LlamaForCausalLM, PreTrainedModel, T5ForConditionalGeneration

from app.students.store import ModelStore, StoredModel
from tests.cli.conftest import recolor
from tests.students.tiny import lines, rows, write_lines
from tests.students.tiny_writers import llama_config, llama_tokenizer, t5_config, t5_tokenizer

WAYS = (
    *("{}", "{} look", "make it {}", "{} please", "a {} video", "like {}", "give it a {} look", "{} vibes"),
    *("something {}", "{} style", "{} mood", "i want {}", "{} feel", "{} film", "my clip in {}", "the {} one"),
    *("{} colors", "a bit of {}", "so {}", "pure {}", "{} and nice", "this but {}", "{} edit", "turn it {}"),
)
TESTED = ("just {}", "{} effect")
"""Ways that occur in the test split only."""
VALIDATION = 24
T5 = ("--epochs", "6", "--rate", "5e-3")
LLAMA = ("--epochs", "4", "--rate", "5e-3", "--no-lora")
BEHAVIOURS = lines("behaviours.jsonl")[::12]
MODEL_LICENCE = "tiny-community"
LICENCE = f"{MODEL_LICENCE} (base model), cc0-1.0 (data)"


@dataclass(frozen=True, slots=True)
class Trained:
    """A run, and the student that came of it; `output` is what its training said."""

    student: str
    data: Path
    run: Path
    store: Path
    model: str
    output: str

    @property
    def stored(self) -> StoredModel:
        return ModelStore(self.store).find(self.model)


def train(student: str | Path, model: str, data: Path, run: Path, store: Path, *arguments: str) -> Result:
    """`recolor train`, in this process; scored on few behaviours, and without patience for answers that do not end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.cli.training.DATASETS", write_lines(data.with_name("behaviours.jsonl"), BEHAVIOURS).parent)
        patch.setattr("app.students.generative.LONGEST_FREE", 100)
        return recolor(*command(student, model, data, run, store, *arguments))


def command(student: str | Path, model: str, data: Path, run: Path, store: Path, *arguments: str) -> list[str]:
    name, _, version = model.partition("@")
    where = ("--student", student, "--data", data, "--folder", run, "--store", store)
    fixed = ("--name", name, "--version", version, "--validation", VALIDATION, "--threads", 1, "--batch", 16)
    return ["train", *map(str, (*where, *fixed, *arguments))]


def trained(student: str | Path, model: str, data: Path, run: Path, store: Path, *arguments: str) -> Trained:
    result = train(student, model, data, run, store, *arguments)
    assert result.exit_code == 0, result.output
    return Trained(str(student), data, run, store, model, " ".join(result.output.split()))


def train_t5(folder: Path) -> Trained:
    """A T5 trained in full, from a folder."""
    base = write_t5(folder / "tiny-t5")
    data = write_ways(folder / "data" / "looks.jsonl", looks(12))
    return trained(base, "tiny-t5@1", data, folder / "run", folder / "store", *T5)


def train_llama(folder: Path) -> Trained:
    """A Llama trained in full, from the model store."""
    base = write_llama(folder / "tiny-llama")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOLOR_MODEL_STORE", str(folder / "store"))
        added = recolor("models", "add", base, "--licence", MODEL_LICENCE, "--as", "tiny-llama-base@1")
    assert added.exit_code == 0, added.output
    data = write_ways(folder / "data" / "looks.jsonl", looks(12))
    return trained("tiny-llama-base", "tiny-llama@1", data, folder / "run", folder / "store", *LLAMA)


def write_t5(folder: Path) -> Path:
    """An untrained T5 with gated GELU, as the transformers library leaves it."""
    tokenizer = t5_tokenizer(folder)
    config = t5_config(tokenizer, num_layers=1, num_decoder_layers=1, dropout_rate=0.0)
    torch.manual_seed(1)
    network = T5ForConditionalGeneration(config)
    # As Flan-T5 has it, which the library's own beginning has not: an output layer apart from the embeddings.
    network.lm_head.weight = torch.nn.Parameter(torch.randn_like(network.lm_head.weight) * config.d_model**-0.5)
    network.config.tie_word_embeddings = False
    return _write(folder, network, tokenizer)


def write_llama(folder: Path) -> Path:
    """An untrained Llama with byte-level BPE and a chat template, as the transformers library leaves it."""
    tokenizer = llama_tokenizer()
    config = llama_config(tokenizer, max_position_embeddings=4096, initializer_range=0.125)
    torch.manual_seed(1)
    return _write(folder, LlamaForCausalLM(config), tokenizer)


def _write(folder: Path, network: PreTrainedModel, tokenizer: Any) -> Path:
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def looks(count: int, skip: int = 0) -> list[dict[str, Any]]:
    """Rows of well-known looks in at most two words, far apart in the dataset."""
    known = [row for row in rows("teacher.jsonl") if row["popularity"] == 5 and len(row["intent"].split()) <= 2]
    used = [row for row in known if row["split"] == "train" and row["adjust"]]
    return used[skip :: len(used) // 24][:count]


def filters(count: int) -> list[dict[str, Any]]:
    """Rows that use nothing but a filter: short answers in every codec."""
    plain = [row for row in rows("teacher.jsonl") if not row["adjust"] and not row["selective_adjust"]]
    return [row for row in plain if row["filter"] and len(row["intent"].split()) <= 2][:count]


def write_ways(file: Path, asked: list[dict[str, Any]]) -> Path:
    """A teacher dataset of looks, each in many ways, beside a card that states its licence."""
    file.parent.mkdir(parents=True, exist_ok=True)
    (file.parent / "README.md").write_text("---\nlicense: cc0-1.0\n---\n# Looks\n", encoding="utf-8")
    written = [
        json.dumps(row | {"intent": way.format(row["intent"]), "split": split})
        for split, ways in (("train", WAYS), ("test", TESTED))
        for row in asked
        for way in ways
    ]
    return write_lines(file, written)
