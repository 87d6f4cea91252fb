"""An intent as a student's tokenizer reads it, and whether it can."""

import copy
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import emoji
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

MAX_TOKENS = 96
MOSTLY_UNKNOWN = 0.5
"""From this share of unknown words on, an intent counts as one that cannot be read."""
_INVISIBLE = dict.fromkeys((0x200B, 0x200C, 0x200D, 0xFE0E, 0xFE0F, 0xFEFF))


@dataclass(frozen=True, slots=True)
class Reading:
    """`text` is what the student sees, `ids` its tokens; `is_known` says whether it can make sense of them."""

    text: str
    ids: list[int]
    is_known: bool


class Reader:
    """Turns intents into tokens. The text is data: typed special tokens stay plain text."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        # Special tokens as plain text: "[SEP]" in a request is five letters and two brackets. In a copy, because
        # every call of the tokenizer itself sets the switch back.
        self._plain = copy.deepcopy(tokenizer.backend_tokenizer)
        self._plain.encode_special_tokens = True
        self._unknown = tokenizer.unk_token_id
        vocabulary = tokenizer.get_vocab()
        self._words = frozenset(index for token, index in vocabulary.items() if token[0].isalnum())

    def read(self, intent: str) -> Reading:
        text = readable(intent)
        ids = self._plain.encode(text, add_special_tokens=False).ids[: MAX_TOKENS - 2]
        unknown = ids.count(self._unknown)
        words = sum(index in self._words for index in ids)
        is_known = unknown == 0 or unknown / (unknown + words) < MOSTLY_UNKNOWN
        return Reading(text, [self._tokenizer.cls_token_id, *ids, self._tokenizer.sep_token_id], is_known)

    def batch(self, readings: Sequence[Reading]) -> tuple[Tensor, Tensor | None]:
        """Token ids [B, T] and their mask [B, T], or None where nothing is padded."""
        longest = max(len(reading.ids) for reading in readings)
        pad = self._tokenizer.pad_token_id
        ids = torch.tensor([reading.ids + [pad] * (longest - len(reading.ids)) for reading in readings])
        if all(len(reading.ids) == longest for reading in readings):
            return ids, None
        lengths = torch.tensor([len(reading.ids) for reading in readings])
        return ids, torch.arange(longest)[None, :] < lengths[:, None]


def readable(intent: str) -> str:
    """Compatibility forms folded, emoji replaced by their names ("sunrise"), white space single."""
    if not intent.isascii():
        named = emoji.demojize(unicodedata.normalize("NFKC", intent), delimiters=(" ", " "))
        intent = named.translate(_INVISIBLE)
    return " ".join(re.sub(r"(?<=\w)_(?=\w)", " ", intent).split())
