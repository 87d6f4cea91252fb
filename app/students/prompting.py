"""The prompts of students that write their answers, as token ids.

The words around the look are ours (`app.prompts.student`), the form around them is the model's chat template, or none.
The look itself is data: it is tokenised apart, and whatever is typed, no token of it is a control token.
"""

import copy
from collections.abc import Sequence
from typing import Literal

from transformers import PreTrainedTokenizerBase

from app.prompts.student import BEFORE_LOOK, after_look
from app.students.protocol import Prompt
from app.students.text import MAX_TOKENS, MOSTLY_UNKNOWN, readable

Form = Literal["plain", "chat"]
"""``plain``: the words alone, as encoder-decoder models take them. ``chat``: as the user's turn of a conversation."""

_MARK = "lookhere"
"""Stands for the look while a template is rendered."""


class Prompter:
    """Turns prompts into token ids by one tokenizer. Raises ValueError for a chat form without a chat template."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, form: Form) -> None:
        self._form, self._tokenizer = form, tokenizer
        # In a copy, because every call of the tokenizer itself sets the switch back.
        self._plain = copy.deepcopy(tokenizer.backend_tokenizer)
        self._plain.encode_special_tokens = True
        self._unknown = tokenizer.unk_token_id
        self.control = frozenset({*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}) - {self._unknown}
        self._around: dict[str, tuple[list[int], list[int]]] = {}

    def ids(self, prompt: Prompt) -> list[int] | None:
        """The prompt's tokens, end of sequence included where the model expects it; None if the look cannot be read."""
        look = self.look(prompt.intent)
        if look is None:
            return None
        if prompt.tool not in self._around:
            self._around[prompt.tool] = self._frame(prompt.tool)
        before, after = self._around[prompt.tool]
        return [*before, *look, *after]

    def look(self, intent: str) -> list[int] | None:
        """The tokens of what was typed, none of them a control token; None if most of it is unknown."""
        text = readable(intent)
        ids = self._encode(text)
        if not self.control.isdisjoint(ids):
            # A vocabulary may hold control tokens as words, which the switch above does not see.
            ids = [index for character in text for index in self._encode(character)]
        ids = [index for index in ids if index not in self.control][:MAX_TOKENS]
        unknown = ids.count(self._unknown) if self._unknown is not None else 0
        return None if not ids or unknown / len(ids) >= MOSTLY_UNKNOWN else ids

    def _encode(self, text: str) -> Sequence[int]:
        ids: Sequence[int] = self._plain.encode(text, add_special_tokens=False).ids
        return ids

    def _frame(self, tool: str) -> tuple[list[int], list[int]]:
        """What stands before and after the look."""
        words = f"{BEFORE_LOOK}{_MARK}{after_look(tool)}"
        text = words if self._form == "plain" else self._chat(words)
        head, _, tail = text.partition(_MARK)
        before, after = (self._tokenizer.encode(part, add_special_tokens=False) for part in (head, tail))
        start, end = self._ends()
        if start is not None and before[:1] != [start]:
            before = [start, *before]
        return before, [*after, *([end] if end is not None and self._form == "plain" else [])]

    def _chat(self, words: str) -> str:
        if self._tokenizer.chat_template is None:
            raise ValueError("the tokenizer has no chat template")
        turn = [{"role": "user", "content": words}]
        rendered: str = self._tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        return rendered

    def _ends(self) -> tuple[int | None, int | None]:
        """What the tokenizer itself puts at the beginning and at the end of a text."""
        marked = self._tokenizer.encode("a")
        start = marked[0] if marked[0] in self.control else None
        end = marked[-1] if marked[-1] in self.control and len(marked) > 1 else None
        return start, end
