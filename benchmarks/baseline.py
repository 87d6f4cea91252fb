"""The baseline of `latency`: the same network answering in JSON, token by token, by plain `transformers` `generate`.

It is what one would build without a compact codec: a stock `EncoderDecoderModel` whose encoder and decoder have the
stored student's layers and widths, with a causal decoder and its cache, greedy, three prompts in one batch, every
token of the JSON generated. Its weights are random, since only its time matters; so the length of an answer is forced
to that of the teacher's real JSON of the same intent. Like any batch, it lasts as long as its longest row.

What favours the baseline: it is called in this process, without HTTP, validation or logging, and its JSON is never
parsed; its vocabulary has no more tokens than the student's, where a stock one has 30,000, so that its last layer
costs as little as the student's.
Two lengths are measured. `tuned`: tokens of a BPE vocabulary that was trained on nothing but such JSON, in which every
key and number is one token; the shortest JSON that there is. `stock`: tokens that the encoder's own WordPiece
vocabulary takes for it, as a model with an ordinary vocabulary would.
"""

from collections.abc import Iterable

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, EncoderDecoderModel, GenerationConfig, PreTrainedTokenizerFast

from app.distill.dataset import Example, read_dataset
from app.grade import TOOLS
from app.grade.codecs import CODECS
from app.settings import Settings
from app.students.store import ModelStore
from benchmarks.intents import TEACHER

_LONGEST = 256


class JsonBaseline:
    """An untrained network of the size of the student that `settings` name."""

    def __init__(self, settings: Settings) -> None:
        stored = ModelStore(settings.model_store).find(settings.model)
        config = AutoConfig.from_pretrained(stored.path)
        self._intents = PreTrainedTokenizerFast.from_pretrained(stored.path)
        self._answers = _json_tokenizer(config.decoder.vocab_size)
        config.decoder.update(
            {
                "vocab_size": len(self._answers.get_vocab()),
                "max_position_embeddings": _LONGEST,
                "use_cache": True,
            }
        )
        self._network = EncoderDecoderModel(config=config).eval()
        self._network.encoder.pooler = None  # the student has none either
        self.parameters = sum(parameter.numel() for parameter in self._network.parameters())

    def generate(self, intent: str, tokens: int) -> list[str]:
        """Three answers of exactly so many tokens each."""
        prompts = self._intents([f"{tool}: {intent}" for tool in TOOLS], padding=True, return_tensors="pt")
        # Without an end token the limit is the length; and no time goes into suppressing that token.
        generation = GenerationConfig(
            do_sample=False, num_beams=1, max_new_tokens=tokens, decoder_start_token_id=0, pad_token_id=0
        )
        with torch.inference_mode():
            answers = self._network.generate(
                input_ids=prompts["input_ids"],
                attention_mask=prompts["attention_mask"],
                generation_config=generation,
            )
        if answers.shape != (len(TOOLS), tokens + 1):
            raise AssertionError(f"generated {tuple(answers.shape)}, expected {len(TOOLS)} answers of {tokens} tokens")
        return [self._answers.decode(answer) for answer in answers.tolist()]

    def tuned_tokens(self, example: Example) -> int:
        """Length of the longest of the example's three answers, in the vocabulary made for them."""
        return max(len(self._answers.encode(text).ids) for text in _targets(example))

    def stock_tokens(self, example: Example) -> int:
        """The same in the encoder's vocabulary."""
        plain = self._intents.backend_tokenizer
        return max(len(plain.encode(text, add_special_tokens=False).ids) for text in _targets(example))


def _targets(example: Example) -> list[str]:
    return [CODECS["json"].encode(tool, example.grade.settings(tool)) for tool in TOOLS]


def _json_tokenizer(most: int) -> Tokenizer:
    """A BPE vocabulary of at most so many tokens, trained on the training split's answers."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        _training_targets(), trainers.BpeTrainer(vocab_size=most, special_tokens=["<pad>"], show_progress=False)
    )
    return tokenizer


def _training_targets() -> Iterable[str]:
    return (text for example in read_dataset(TEACHER) if example.split == "train" for text in _targets(example))
