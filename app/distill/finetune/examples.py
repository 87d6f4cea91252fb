"""Training examples as token ids: one tool of one intent each, with the loss on the answer only."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from app.distill.dataset import DatasetError, Example
from app.grade import TOOLS
from app.grade.codecs import CODECS, Codec, DecodeError, RowCodec
from app.students.prompting import Prompter
from app.students.protocol import Prompt
from app.students.spelling import Spelling, missing

IGNORED = -100
"""The label of a token that costs nothing."""
TokenizedExample = dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class Examples:
    """The tokenized examples, and how many rows no model of this vocabulary can read."""

    tokenized: list[TokenizedExample]
    unread: int


def lacking(tokenizer: PreTrainedTokenizerBase, codec: str) -> list[str]:
    """The tokens that a tokenizer must be given before it can write a codec, such as T5's for the braces of JSON."""
    row = CODECS[codec]
    if isinstance(row, RowCodec):
        return missing(row, tokenizer)
    written = {character for tool in TOOLS for choice in row.grammar(tool).choices for character in "".join(choice)}
    return [character for character in sorted(written) if tokenizer.unk_token_id in _ids(tokenizer, character)]


def tokenize(
    rows: Sequence[Example], codec: str, tokenizer: PreTrainedTokenizerBase, prompter: Prompter, causal: bool
) -> Examples:
    """Every tool of every row that can be read.

    An encoder-decoder reads the prompt and is trained on the answer; a decoder-only model is fed both, and the prompt's
    labels are `IGNORED`. Raises DatasetError where the tokenizer cannot write the codec.
    """
    writer = CODECS[codec]
    spelling = Spelling(writer, tokenizer) if isinstance(writer, RowCodec) else None
    tokenized: list[TokenizedExample] = []
    unread = 0
    for row in rows:
        prompts = {tool: prompter.ids(Prompt(row.intent, tool)) for tool in TOOLS}
        unread += None in prompts.values()
        for tool, prompt in prompts.items():
            if prompt is None:
                continue
            text = writer.encode(tool, row.grade.settings(tool))
            answer = spelling.ids(tool, text) if spelling else _text_ids(writer, tool, text, tokenizer)
            tokenized.append(_causal(prompt, answer) if causal else {"input_ids": prompt, "labels": answer})
    return Examples(tokenized, unread)


def _causal(prompt: list[int], answer: list[int]) -> TokenizedExample:
    return {"input_ids": [*prompt, *answer], "labels": [*[IGNORED] * len(prompt), *answer]}


def _text_ids(codec: Codec, tool: str, text: str, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """An answer as the tokenizer cuts it, the end token included. Raises DatasetError where it cannot be read back."""
    ids = _ids(tokenizer, text)
    read = tokenizer.decode(ids, skip_special_tokens=True)
    with suppress(DecodeError):
        if codec.decode(tool, read) == codec.decode(tool, text):
            return [*ids, tokenizer.eos_token_id]
    raise DatasetError(
        f"the base model's tokenizer cannot write the codec {codec.name}: {text[:60]} becomes {read[:60]}"
    )


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids
