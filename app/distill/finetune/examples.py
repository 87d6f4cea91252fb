"""Training examples as token ids: one tool of one intent each, with the loss on the answer only."""

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from app.distill.dataset import Example
from app.grade import TOOLS
from app.grade.codecs import CODECS, RowCodec
from app.students.prompting import Prompter
from app.students.protocol import Prompt
from app.students.spelling import Spelling, missing

IGNORED = -100
"""The label of a token that costs nothing."""
JSON_PIECES = ("{", "}")
"""What the T5 vocabulary lacks for JSON."""

TokenizedExample = dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class Examples:
    """The tokenized examples, and how many rows no model of this vocabulary can read."""

    tokenized: list[TokenizedExample]
    unread: int


def add_tokens(tokenizer: PreTrainedTokenizerBase, codec: str) -> int:
    """Give the tokenizer what it needs to write a codec; returns how many tokens it gained."""
    row = CODECS[codec]
    if isinstance(row, RowCodec):
        lacking = missing(row, tokenizer)
    else:
        lacking = [piece for piece in JSON_PIECES if tokenizer.unk_token_id in _ids(tokenizer, piece)]
    added: int = tokenizer.add_tokens(lacking)
    return added


def tokenize(
    rows: Sequence[Example], codec: str, tokenizer: PreTrainedTokenizerBase, prompter: Prompter, causal: bool
) -> Examples:
    """Every tool of every row that can be read.

    An encoder-decoder reads the prompt and is trained on the answer; a decoder-only model is fed both, and the prompt's
    labels are `IGNORED`.
    """
    row_codec = CODECS[codec]
    spelling = Spelling(row_codec, tokenizer) if isinstance(row_codec, RowCodec) else None
    tokenized: list[TokenizedExample] = []
    unread = 0
    for row in rows:
        prompts = {tool: prompter.ids(Prompt(row.intent, tool)) for tool in TOOLS}
        unread += None in prompts.values()
        for tool, prompt in prompts.items():
            if prompt is None:
                continue
            text = row_codec.encode(tool, row.grade.settings(tool))
            answer = spelling.ids(tool, text) if spelling else [*_ids(tokenizer, text), tokenizer.eos_token_id]
            tokenized.append(_causal(prompt, answer) if causal else {"input_ids": prompt, "labels": answer})
    return Examples(tokenized, unread)


def _causal(prompt: list[int], answer: list[int]) -> TokenizedExample:
    return {"input_ids": [*prompt, *answer], "labels": [*[IGNORED] * len(prompt), *answer]}


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids
