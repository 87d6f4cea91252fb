"""Students of the Hugging Face `transformers` library, on this process's CPU or GPU."""

from collections.abc import Sequence
from pathlib import Path

import torch
import transformers
from transformers import AutoConfig, AutoModelForSeq2SeqLM, PreTrainedTokenizerFast

from app.grade.codecs import CODECS
from app.students import quantised
from app.students.manifest import Manifest
from app.students.mini import slot_logits
from app.students.protocol import Answer, EngineError, Prompt
from app.students.slot_decoding import SlotDecoder
from app.students.slots import SlotTable
from app.students.store import ModelStoreError, StoredModel
from app.students.text import Reader, Reading

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
ANSWERS = "answers"
"""Folder of the tokenizer that spells the answers."""


class HFStudent:
    """One encoder-decoder student from the model store.

    `generate` deduplicates the intents of a batch, so that the three prompts of one request cost one pass.
    """

    def __init__(self, stored: StoredModel, decoding: str | None = None) -> None:
        """Load and check a stored student. Raises ModelStoreError."""
        stored.verify()
        manifest = stored.manifest
        self.model = manifest.model
        self.codec = CODECS[manifest.codec]
        self.decoding: str = decoding or manifest.decoding
        self._reader = Reader(PreTrainedTokenizerFast.from_pretrained(stored.path))
        answers = PreTrainedTokenizerFast.from_pretrained(stored.path / ANSWERS)
        self._network = load_network(stored.path, manifest)
        self._table = SlotTable.of(answers)
        tokens = answers.convert_ids_to_tokens(range(len(answers)))
        self._decoder = SlotDecoder(self._table, tokens, manifest.thresholds)
        self._lengths = {tool: slots.stop - slots.start for tool, slots in self._table.tools.items()}

    def generate(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer a prompt, in order; None as its text where the intent cannot be read. Raises EngineError."""
        intents = list(dict.fromkeys(prompt.intent for prompt in prompts))
        readings = [self._reader.read(intent) for intent in intents]
        known = [(intent, reading) for intent, reading in zip(intents, readings, strict=True) if reading.is_known]
        answers: dict[str, dict[str, str]] = {}
        if known:
            try:
                answers = dict(zip((intent for intent, _ in known), self._answer([r for _, r in known]), strict=True))
            except RuntimeError as error:  # out of memory, a lost device
                raise EngineError(f"{self.model}: {error}") from error
        return [self._as_answer(prompt, answers.get(prompt.intent)) for prompt in prompts]

    def _answer(self, readings: Sequence[Reading]) -> list[dict[str, str]]:
        batch = self._reader.batch(readings)
        with torch.inference_mode():
            logits = slot_logits(self._network, self._table, *batch)
            if self.decoding == "free":
                return self._decoder.free(logits)
            return self._decoder.constrained(logits, [reading.text for reading in readings])

    def _as_answer(self, prompt: Prompt, answer: dict[str, str] | None) -> Answer:
        if answer is None:
            return Answer(None)
        return Answer(answer[prompt.tool], tokens=answer[prompt.tool].count("<"))


def load_network(path: Path, manifest: Manifest) -> transformers.PreTrainedModel:
    """The network of a student folder, ready to compute. Raises ModelStoreError."""
    config = AutoConfig.from_pretrained(path)
    network = AutoModelForSeq2SeqLM.from_config(config)
    try:
        state = quantised.load(path / WEIGHTS)
        missing, unexpected = network.load_state_dict(state, strict=False)
    except (ValueError, RuntimeError) as error:
        raise ModelStoreError(f"{path / WEIGHTS} does not fit {manifest.architecture}: {error}") from None
    network.tie_weights()
    tied = set(network.all_tied_weights_keys)
    if unexpected or set(missing) - tied:
        lacking = ", ".join(sorted(set(missing) - tied) + sorted(unexpected))
        raise ModelStoreError(f"{path / WEIGHTS} does not fit {manifest.architecture}: {lacking[:200]}")
    return network.eval()


def save_network(network: transformers.PreTrainedModel, path: Path) -> None:
    """Write configuration and 8-bit weights, as `load_network` reads them."""
    network.config.architectures = [type(network).__name__]
    network.config.to_json_file(path / CONFIG, use_diff=False)
    quantised.save(network.state_dict(), path / WEIGHTS)
