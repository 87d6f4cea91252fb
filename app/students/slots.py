"""The answer slots of a student that fills all of them in one pass.

Such a student's decoder is fed one *query* token a slot (not the previous answer token) and gives the
distribution of every slot at once. This module ties the slots of the codec's grammars to token ids: which
query stands for which slot, which tokens a slot may take, and what number each token means.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from app.grade import TOOLS
from app.grade.codecs import CompactCodec
from app.grade.codecs.compact import symbol


def query_token(tool: str, slot: str) -> str:
    """The decoder's input token that asks for a slot."""
    return f"<?{tool}.{slot}>"


def answer_tokens(codec: CompactCodec) -> list[str]:
    """The decoder's whole vocabulary in order: padding, queries, then the codec's symbols."""
    queries = [query_token(tool, slot.name) for tool, model in TOOLS.items() for slot in model.slots()]
    return ["<pad>", *queries, *codec.symbols()]


@dataclass(frozen=True)
class SlotTable:
    """`S` slots over all tools in order, `V` answer tokens.

    queries: token ids fed to the decoder, [S]. allowed: what each slot may take, bool [S, V].
    numbers: the number a token means in a slot, float [S, V], 0 where it means none. scale: the largest
    absolute value of a slot, float [S]; 0 for a named value. tools: the slots of each tool.
    """

    queries: Tensor
    allowed: Tensor
    numbers: Tensor
    scale: Tensor
    tools: dict[str, slice]
    unused: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> "SlotTable":
        """Raises ValueError where the tokenizer lacks a symbol."""
        ids = tokenizer.get_vocab()
        missing = [token for token in answer_tokens(CompactCodec()) if token not in ids]
        if missing:
            raise ValueError(f"the answer tokenizer lacks {len(missing)} tokens, e.g. {missing[0]}")
        slots = [(tool, slot) for tool, model in TOOLS.items() for slot in model.slots()]
        queries = torch.tensor([ids[query_token(tool, slot.name)] for tool, slot in slots])
        allowed = torch.zeros(len(slots), len(ids), dtype=torch.bool)
        numbers = torch.zeros(len(slots), len(ids))
        tools: dict[str, slice] = {}
        for row, (tool, slot) in enumerate(slots):
            start = tools[tool].start if tool in tools else row
            tools[tool] = slice(start, row + 1)
            for value in slot.values:
                allowed[row, ids[symbol(value)]] = True
                numbers[row, ids[symbol(value)]] = 0 if isinstance(value, str) else value
        for own in tools.values():
            allowed[own.start, ids[CompactCodec.unused]] = True
        scale = torch.tensor([0.0 if slot.options else float(slot.scale) for _, slot in slots])
        return cls(queries, allowed, numbers, scale, tools, ids[CompactCodec.unused])
