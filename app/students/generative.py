"""Students that write their answer token by token, by PyTorch: T5 for production on a GPU or CPU, and decoder-only
models as the reference beside vLLM."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    T5ForConditionalGeneration,
)
from transformers.utils import logging

from app.grade.codecs import CODECS, RowCodec
from app.students.causal_steps import CausalSteps
from app.students.manifest import Manifest
from app.students.prompting import Prompter
from app.students.protocol import Answer, EngineError, Prompt
from app.students.spelling import Spelling
from app.students.store import MANIFEST, ModelStore, ModelStoreError, StoredModel, mend
from app.students.t5_steps import T5Steps
from app.students.writing import ConstrainedWriter, FreeWriter

LONGEST_FREE = 512
"""Tokens after which an answer that no grammar ends is cut off: above three times the longest JSON of a tool."""

logging.disable_progress_bar()  # of loading weights; it would stand in the log of the service

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class WritingEngine:
    """A network that writes its answers, in this process.

    A batch is decoded greedily, all its prompts together, each under the grammar of its own tool.

    Raises ValueError where the codec cannot be decoded so.
    """

    def __init__(
        self,
        model: str,
        network: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompter: Prompter,
        codec: str,
        decoding: str | None = None,
    ) -> None:
        self.model, self.codec = model, CODECS[codec]
        row = self.codec if isinstance(self.codec, RowCodec) else None
        self.decoding: str = decoding or ("constrained" if row else "free")
        self._prompter, self._tokenizer, self._end = prompter, tokenizer, tokenizer.eos_token_id
        self._spelling = Spelling(row, tokenizer) if row else None
        if self.decoding == "free":
            self._writer: ConstrainedWriter | FreeWriter = FreeWriter(
                _steps(network, None, LONGEST_FREE), self._end, LONGEST_FREE
            )
        elif self._spelling is None:
            raise ValueError(f"the codec '{codec}' is decoded under a grammar by vLLM only")
        else:
            automaton = self._spelling.automaton()
            steps = _steps(network, self._spelling.alphabet, automaton.longest)
            self._writer = ConstrainedWriter(steps, self._spelling, automaton)

    def generate(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer a prompt, in order; None as its text where the intent cannot be read. Raises EngineError."""
        read = [self._prompter.ids(prompt) for prompt in prompts]
        known = [(ids, prompt.tool) for ids, prompt in zip(read, prompts, strict=True) if ids is not None]
        written: list[list[int]] = []
        if known:
            try:
                with torch.inference_mode():
                    written = self._writer.write([ids for ids, _ in known], [tool for _, tool in known])
            except RuntimeError as error:  # out of memory, a lost device
                raise EngineError(f"{self.model}: {error}") from error
        answers = iter(written)
        return [Answer(None) if ids is None else self._answer(next(answers)) for ids in read]

    def _answer(self, ids: list[int]) -> Answer:
        cut = self.decoding == "free" and len(ids) == LONGEST_FREE and ids[-1] != self._end
        if self._spelling is not None:
            text = self._spelling.text(ids)
        else:
            text = self._tokenizer.decode(ids, skip_special_tokens=True)
        return Answer(text, len(ids), cut)


class GenerativeStudent(WritingEngine):
    """One writing student from the model store."""

    def __init__(
        self,
        stored: StoredModel,
        store: ModelStore,
        decoding: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
    ) -> None:
        """Load and check a stored student. Raises ModelStoreError."""
        manifest = stored.manifest
        place = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        tokenizer = load_tokenizer(stored)
        network = load_network(stored, store, DTYPES.get(dtype, torch.bfloat16)).to(place)
        wanted = decoding or manifest.decoding
        try:
            super().__init__(manifest.model, network, tokenizer, prompter(stored, tokenizer), manifest.codec, wanted)
        except ValueError as error:
            raise ModelStoreError(
                f"{manifest.model}: {error}; set RECOLOR_BACKEND=vllm, or RECOLOR_DECODING=free"
            ) from None


def load_tokenizer(stored: StoredModel) -> PreTrainedTokenizerBase:
    """The tokenizer of a writing student. Raises ModelStoreError."""
    try:
        return AutoTokenizer.from_pretrained(stored.path, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # `tokenizers` raises bare exceptions
        raise _damaged(stored, "the tokenizer", error) from error


def prompter(stored: StoredModel, tokenizer: PreTrainedTokenizerBase) -> Prompter:
    """Raises ModelStoreError."""
    form = stored.manifest.prompt
    if form == "slots":
        raise ModelStoreError(f"{stored.path / MANIFEST}: {stored.manifest.model} names no form of prompt")
    try:
        return Prompter(tokenizer, form)
    except ValueError as error:
        raise _damaged(stored, "the tokenizer", error) from error


def load_network(stored: StoredModel, store: ModelStore, dtype: torch.dtype) -> PreTrainedModel:
    """The network in evaluation mode, an adapter merged into its base. Raises ModelStoreError."""
    stored.verify()
    manifest = stored.manifest
    if manifest.base is None:
        return _network(stored, stored.path, dtype)
    base = store.find(manifest.base)
    base.verify()
    network = _network(base, base.path, dtype)
    try:
        from peft import PeftModel

        adapted = PeftModel.from_pretrained(network, str(stored.path))
        merged: PreTrainedModel = adapted.merge_and_unload(safe_merge=True)
    except ImportError:
        raise ModelStoreError(f"{manifest.model} is a LoRA adapter; install `recolor[train]`, which has peft") from None
    except Exception as error:
        raise _damaged(stored, "the adapter", error) from error
    return merged.eval()


def _network(stored: StoredModel, path: Path, dtype: torch.dtype) -> PreTrainedModel:
    try:
        config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        network: PreTrainedModel = auto.from_pretrained(
            path, config=config, dtype=dtype, use_safetensors=True, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # whatever a wrong file leads to, deep inside
        raise _damaged(stored, "the network", error) from error
    return network.eval()


def _steps(network: PreTrainedModel, tokens: Sequence[int] | None, longest: int) -> T5Steps | CausalSteps:
    if isinstance(network, T5ForConditionalGeneration):
        return T5Steps(network, tokens, longest)
    return CausalSteps(network, tokens)


def _damaged(stored: StoredModel, part: str, error: Exception) -> ModelStoreError:
    told = " ".join(str(error).split())[:200] or type(error).__name__
    return ModelStoreError(f"{stored.path}: {part} cannot be used: {told}; {mend(stored.manifest.model)}")


def is_generative(manifest: Manifest) -> bool:
    """Whether a student writes its answer token by token."""
    return manifest.prompt != "slots"
