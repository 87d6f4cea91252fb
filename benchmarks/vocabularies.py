"""Vocabularies like those of the production students, whose own cannot be fetched here.

- T5-like: SentencePiece unigram, 32,000 pieces at most, no braces of its own, given braces as tokens for JSON.
- Llama-like: byte-level BPE, 32,000 tokens at most, every digit a token of its own, as Llama's.

Both are trained on English prose with some code in it (the language reference that Python carries) and on the training
split's looks: as with the real ones, nobody made them for our JSON.
"""

import io
import tempfile
from functools import cache
from pathlib import Path
from pydoc_data.topics import topics

import sentencepiece
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast, T5Tokenizer

from app.distill.dataset import read_dataset
from app.distill.finetune.examples import lacking
from benchmarks.intents import TEACHER

SIZE = 32_000


@cache
def _texts() -> list[str]:
    prose = [line for topic in topics.values() for line in topic.splitlines() if line.strip()]
    # T5's vocabulary has no braces.
    return [row.intent for row in read_dataset(TEACHER) if row.split == "train"] + [
        line.replace("{", " ").replace("}", " ") for line in prose
    ]


@cache
def t5_like() -> PreTrainedTokenizerBase:
    """With the tokens that the codecs `json` and `letters` need."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_texts()),
        model_writer=model,
        vocab_size=SIZE,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        character_coverage=0.9995,
        minloglevel=2,
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "spiece.model").write_bytes(model.getvalue())
        tokenizer = T5Tokenizer.from_pretrained(folder, extra_ids=100)
    for codec in ("json", "letters"):
        tokenizer.add_tokens(lacking(tokenizer, codec))
    return tokenizer


@cache
def llama_like() -> PreTrainedTokenizerBase:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"\d"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", clean_up_tokenization_spaces=False
    )
