"""A tiny Llama and a LoRA adapter on it in a model store, both of random weights: their answers are noise, and valid
only under the grammar."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import PreTrainedTokenizerBase

from app.grade.codecs import CODECS, RowCodec
from app.settings import Settings
from app.students.manifest import Manifest
from app.students.spelling import missing
from app.students.store import MANIFEST, sha256, write
from tests.students.tiny_writers import llama, llama_tokenizer


@dataclass(frozen=True, slots=True)
class TinyLlama:
    """A model store with the students `base` and `adapter`, the second a LoRA on the first."""

    store: Path
    base: str = "tiny-llama@1"
    adapter: str = "tiny-llama-lora@1"

    def settings(self, model: str, **changes: Any) -> Settings:
        return Settings(**{"model": model, "model_store": self.store, "backend": "vllm", "dtype": "float32"} | changes)


def make(store: Path, codec: str = "letters") -> TinyLlama:
    """Write both students."""
    made = TinyLlama(store)
    tokenizer = llama_tokenizer()
    row = CODECS[codec]
    if isinstance(row, RowCodec):
        tokenizer.add_tokens(missing(row, tokenizer))
    network = llama(tokenizer)
    folder = _folder(store, made.base)
    network.save_pretrained(folder)
    _complete(folder, made.base, codec, tokenizer)

    torch.manual_seed(2)
    adapted = get_peft_model(network, LoraConfig(r=4, target_modules=["q_proj", "v_proj", "down_proj"]))
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.3)
    folder = _folder(store, made.adapter)
    adapted.save_pretrained(str(folder))
    (folder / "README.md").unlink()
    _complete(folder, made.adapter, codec, tokenizer, base=made.base)
    return made


def _folder(store: Path, model: str) -> Path:
    folder = store / "students" / model.replace("@", "/")
    folder.mkdir(parents=True)
    return folder


def _complete(
    folder: Path, model: str, codec: str, tokenizer: PreTrainedTokenizerBase, base: str | None = None
) -> None:
    """Add the tokenizer and the manifest."""
    tokenizer.save_pretrained(folder)
    name, _, version = model.partition("@")
    write(
        folder,
        Manifest(
            name=name,
            version=int(version),
            architecture="LlamaForCausalLM",
            codec=codec,
            decoding="constrained",
            prompt="chat",
            base=base,
            licence="Apache-2.0",
            base_model="none",
            datasets={},
            training={},
            scores={},
            files={file.name: sha256(file) for file in sorted(folder.iterdir()) if file.name != MANIFEST},
        ),
    )
