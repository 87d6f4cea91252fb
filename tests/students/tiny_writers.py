"""Tiny writing students of the real architectures, with random weights: what they say is noise, how they say it is not.

A T5 with gated GELU and a SentencePiece vocabulary without braces, and a Llama with byte-level BPE and a chat template.
"""

import io
import json
from functools import cache
from pathlib import Path
from string import ascii_letters, digits
from typing import Any, TypeVar

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
    T5Tokenizer,
)

from app.grade import TOOLS
from app.grade.codecs import CODECS, RowCodec
from app.prompts.student import BEFORE_LOOK, after_look
from app.students.spelling import missing

Network = TypeVar("Network", bound=torch.nn.Module)
DATASETS = Path(__file__).resolve().parents[2] / "model_store" / "datasets"
CHAT = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] | trim }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


@cache
def _sentences() -> tuple[str, ...]:
    with (DATASETS / "teacher.jsonl").open(encoding="utf-8") as lines:
        intents = [json.loads(line)["intent"] for line in lines][:6000]
    return (*intents, *(f"{BEFORE_LOOK}{after_look(tool)}" for tool in TOOLS for _ in range(50)))


def t5_tokenizer(folder: Path) -> T5Tokenizer:
    """A SentencePiece vocabulary of the intents, which has no brace."""
    sentencepiece = pytest.importorskip("sentencepiece", reason="sentencepiece, of the extra `train`, is not installed")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_sentences()),
        model_writer=model,
        vocab_size=1200,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        character_coverage=0.9995,
        required_chars=ascii_letters + digits + '":,_-()',
        minloglevel=2,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spiece.model").write_bytes(model.getvalue())
    return T5Tokenizer.from_pretrained(folder, extra_ids=10)


def t5(tokenizer: T5Tokenizer, codec: str = "letters") -> T5ForConditionalGeneration:
    """Adds what the codec lacks to the tokenizer."""
    row = CODECS[codec]
    if isinstance(row, RowCodec):
        tokenizer.add_tokens(missing(row, tokenizer))
    torch.manual_seed(1)
    return _loud(T5ForConditionalGeneration(t5_config(tokenizer)))


def t5_config(tokenizer: T5Tokenizer, **changes: Any) -> T5Config:
    usual = {
        "vocab_size": len(tokenizer),
        "d_model": 64,
        "d_kv": 16,
        "num_heads": 4,
        "d_ff": 128,
        "num_layers": 2,
        "num_decoder_layers": 2,
        "feed_forward_proj": "gated-gelu",
        "tie_word_embeddings": False,
        "decoder_start_token_id": 0,
        "pad_token_id": 0,
        "eos_token_id": 1,
    }
    return T5Config(**usual | changes)


def llama_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE with a beginning of sequence, control tokens and a chat template."""
    special = ["<s>", "</s>", "<|user|>", "<|assistant|>", "<|end|>", "[INST]", "[/INST]"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=1500, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(_sentences(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="</s>",
        additional_special_tokens=special[2:],
        chat_template=CHAT,
        clean_up_tokenization_spaces=False,
    )


def llama(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    torch.manual_seed(1)
    return _loud(LlamaForCausalLM(llama_config(tokenizer)))


def llama_config(tokenizer: PreTrainedTokenizerFast, **changes: Any) -> LlamaConfig:
    usual = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        # Heads of 32: vLLM's attention on a CPU knows no narrower ones.
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": False,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    return LlamaConfig(**usual | changes)


def _loud(network: Network) -> Network:
    """Larger weights, so that answers differ from look to look."""
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(3)
    return network.eval()
