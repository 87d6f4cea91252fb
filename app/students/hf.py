"""Students of the Hugging Face `transformers` library, on this process's CPU or GPU."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForSeq2SeqLM, EncoderDecoderModel, PreTrainedTokenizerFast

from app.grade.codecs import CODECS, CompactCodec
from app.students import quantised
from app.students.manifest import Manifest
from app.students.one_pass import OnePass
from app.students.protocol import Answer, EngineError, Prompt
from app.students.slot_decoding import SlotDecoder
from app.students.slots import SlotTable
from app.students.store import MANIFEST, ModelStoreError, StoredModel, mend
from app.students.text import Reader, Reading

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
ANSWERS = "answers"
"""Folder of the tokenizer that spells the answers."""
LOADED = (CONFIG, WEIGHTS, TOKENIZER, f"{ANSWERS}/{TOKENIZER}")
"""What a manifest must list; a file that it does not list would be loaded unchecked."""
READ = ("pad_token", "unk_token", "cls_token", "sep_token")
WRITTEN = ("pad_token",)
"""Special tokens without which a tokenizer cannot read intents, or write answers."""


ALONE = 2
"""Intents that one thread answers. Several would gain them little, and wait for each other where cores are shared."""


class HFStudent:
    """One encoder-decoder student from the model store.

    `generate` deduplicates the intents of a batch, so that the three prompts of one request cost one pass.
    """

    def __init__(self, stored: StoredModel, decoding: str | None = None) -> None:
        """Load and check a stored student. Raises ModelStoreError."""
        stored.verify()
        manifest = stored.manifest
        self.model = manifest.model
        if unlisted := [name for name in LOADED if name not in manifest.files]:
            raise ModelStoreError(f"{stored.path / MANIFEST} does not list {unlisted[0]}; {mend(self.model)}")
        if manifest.codec != CompactCodec.name:
            raise ModelStoreError(f"{stored.path / MANIFEST}: no student here answers in the codec '{manifest.codec}'")
        self.codec = CODECS[manifest.codec]
        self.decoding: str = decoding or manifest.decoding
        intents, answers = load_tokenizer(stored.path, READ), load_tokenizer(stored.path / ANSWERS, WRITTEN)
        self._reader = Reader(intents)
        network = load_network(stored.path, manifest)
        sizes = (network.config.encoder.vocab_size, network.config.decoder.vocab_size)
        if sizes != (len(intents), len(answers)):
            raise ModelStoreError(f"{stored.path / CONFIG} does not fit the tokenizers; {mend(self.model)}")
        try:
            table = SlotTable.of(answers)
        except ValueError as error:
            raise ModelStoreError(f"{stored.path / ANSWERS / TOKENIZER}: {error}; {mend(self.model)}") from None
        tokens = answers.convert_ids_to_tokens(range(len(answers)))
        self._decoder = SlotDecoder(table, tokens, manifest.thresholds)
        with torch.inference_mode():
            self._forward = OnePass(network, table)

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
        with torch.inference_mode(), _threads(1 if len(readings) <= ALONE else torch.get_num_threads()):
            logits = self._forward(*batch)
            if self.decoding == "free":
                return self._decoder.free(logits)
            return self._decoder.constrained(logits, [reading.text for reading in readings])

    def _as_answer(self, prompt: Prompt, answer: dict[str, str] | None) -> Answer:
        if answer is None:
            return Answer(None)
        return Answer(answer[prompt.tool], tokens=answer[prompt.tool].count("<"))


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def load_network(path: Path, manifest: Manifest) -> EncoderDecoderModel:
    """The network of a student folder, ready to compute. Raises ModelStoreError."""
    try:
        config = AutoConfig.from_pretrained(path, trust_remote_code=False)
        network = AutoModelForSeq2SeqLM.from_config(config, trust_remote_code=False)
    except Exception as error:  # whatever a wrong value leads to, deep inside
        raise ModelStoreError(f"{path / CONFIG} cannot be used: {_short(error)}; {mend(manifest.model)}") from error
    if not isinstance(network, EncoderDecoderModel):
        raise ModelStoreError(f"{path / CONFIG} is of a {type(network).__name__}; {mend(manifest.model)}")
    network.encoder.pooler = None  # a BERT brings one; nothing here reads it, and it is not stored
    try:
        state = quantised.load(path / WEIGHTS)
        missing, unexpected = network.load_state_dict(state, strict=False)
    except (ValueError, RuntimeError) as error:
        raise ModelStoreError(f"{path / WEIGHTS} does not fit {manifest.architecture}: {_short(error)}") from None
    network.tie_weights()
    tied = set(network.all_tied_weights_keys)
    if unexpected or set(missing) - tied:
        lacking = ", ".join(sorted(set(missing) - tied) + sorted(unexpected))
        raise ModelStoreError(f"{path / WEIGHTS} does not fit {manifest.architecture}: {lacking[:200]}")
    return network.eval()


def load_tokenizer(folder: Path, needed: Sequence[str]) -> PreTrainedTokenizerFast:
    """A tokenizer that has the needed special tokens. Raises ModelStoreError."""
    try:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # `tokenizers` raises bare exceptions
        raise ModelStoreError(f"{folder / TOKENIZER} cannot be read: {_short(error)}; {mend('the student')}") from error
    if lacking := [name for name in needed if getattr(tokenizer, name) is None]:
        raise ModelStoreError(f"{folder / TOKENIZER} names no {lacking[0]}; {mend('the student')}")
    return tokenizer


def save_network(network: EncoderDecoderModel, path: Path) -> None:
    """Write configuration and 8-bit weights, as `load_network` reads them."""
    network.config.architectures = [type(network).__name__]
    # Where the encoder was loaded from is nobody's business.
    network.config.encoder.name_or_path = ""
    network.config.to_json_file(path / CONFIG, use_diff=False)
    quantised.save(network.state_dict(), path / WEIGHTS)


def _short(error: Exception) -> str:
    """The beginning of a message that may fill pages, on one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
