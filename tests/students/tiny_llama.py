"""A tiny Llama and a LoRA adapter on it in a model store, both of random weights.

What they say is noise, and valid only under the grammar.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from app.distill.evaluate import ask
from app.grade import TOOLS
from app.grade.codecs import CODECS, RowCodec
from app.settings import Settings
from app.students import Answer, load_engine
from app.students.generative import GenerativeStudent
from app.students.manifest import Manifest
from app.students.spelling import missing
from app.students.store import MANIFEST, ModelStore, StoredModel, sha256, write
from app.students.writing import Steps
from tests.students.tiny_writers import llama, llama_tokenizer

ROUNDING = 1e-4
"""Logits of about 1.4, computed in another order, differ by less than a hundredth of this."""


@dataclass(frozen=True, slots=True)
class TinyLlama:
    """A model store. `base` answers in letters, `json` and `compact` are the same network with other codecs, `adapter`
    is a LoRA on `base`."""

    store: Path
    base: str = "tiny-llama@1"
    json: str = "tiny-llama-json@1"
    compact: str = "tiny-llama-compact@1"
    adapter: str = "tiny-llama-lora@1"

    def stored(self, model: str) -> StoredModel:
        return ModelStore(self.store).find(model)

    def settings(self, model: str, **changes: Any) -> Settings:
        """Settings of a service whose student it is, by vLLM and in full precision."""
        defaults = {"model_store": self.store, "backend": "vllm", "dtype": "float32", "vllm_cpu_cache_gib": 0.25}
        return Settings(model=model, **(defaults | changes))

    def offline(self, model: str, decoding: str, looks: Sequence[str]) -> dict[str, list[Answer]]:
        """What `recolor evaluate` has from the student, with the end that it need not generate counted as vLLM does.

        Left out are free answers somewhere in which two tokens were as likely but for rounding.
        """
        engine = load_engine(self.settings(model, decoding=decoding, device="cpu"))
        assert isinstance(engine, GenerativeStudent)
        steps = engine._writer._steps = _Margins(engine._writer._steps)
        answers = dict(zip(looks, ask(engine, looks), strict=True))
        if decoding == "constrained":
            return {
                look: [replace(each, tokens=each.tokens + 1) for each in three.values()]
                for look, three in answers.items()
            }
        clear = (steps.least.view(len(looks), len(TOOLS)) > ROUNDING).all(dim=1)
        return {look: [*answers[look].values()] for look, decided in zip(looks, clear, strict=True) if decided}


class _Margins:
    """Steps that note by how much the likeliest token of each row was ahead, at the least."""

    def __init__(self, steps: Steps) -> None:
        self._steps, self.device = steps, steps.device

    def begin(self, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
        self.least = torch.full((len(prompts),), torch.inf)
        return self._noted(self._steps.begin(prompts))

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        return self._noted(self._steps.step(tokens))

    def _noted(self, logits: torch.Tensor) -> torch.Tensor:
        first, second = logits.topk(2, dim=-1).values.unbind(dim=-1)
        self.least = self.least.minimum(first - second)
        return logits


def make(store: Path) -> TinyLlama:
    """Write all of them."""
    from peft import LoraConfig, get_peft_model

    made = TinyLlama(store)
    tokenizer = llama_tokenizer()
    for codec in CODECS.values():
        if isinstance(codec, RowCodec):
            tokenizer.add_tokens(missing(codec, tokenizer))
    network = llama(tokenizer)
    base = _folder(store, made.base)
    network.save_pretrained(base)
    _complete(base, made.base, "letters", tokenizer)
    for model, codec in ((made.json, "json"), (made.compact, "compact")):
        shutil.copytree(base, _folder(store, model), dirs_exist_ok=True)
        _complete(_folder(store, model), model, codec, tokenizer)

    torch.manual_seed(2)
    adapted = get_peft_model(network, LoraConfig(r=4, target_modules="all-linear"))
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.3)
    adapter = _folder(store, made.adapter)
    adapted.save_pretrained(str(adapter))
    (adapter / "README.md").unlink()
    _complete(adapter, made.adapter, "letters", tokenizer, base=made.base)
    return made


def _folder(store: Path, model: str) -> Path:
    folder = store / "students" / model.replace("@", "/")
    folder.mkdir(parents=True, exist_ok=True)
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
