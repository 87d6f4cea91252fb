"""How the OpenAI-speaking test server continues prompts of token ids: by a real network, as vLLM's server would."""

from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import torch
from fastapi.responses import JSONResponse, Response, StreamingResponse

from app.grade import TOOLS
from app.students.generative import GenerativeStudent, load_tokenizer
from app.students.store import ModelStore
from tests.students.tiny_llama import TinyLlama
from tests.teacher.openai_server import Call


class Networks:
    """The stock network in full precision, under the grammar and without."""

    def __init__(self, tiny_llama: TinyLlama, model: str) -> None:
        store, stored = ModelStore(tiny_llama.store), tiny_llama.stored(model)
        self.tokenizer = load_tokenizer(stored)
        self.by = {
            decoding: GenerativeStudent(stored, store, decoding, "cpu", "float32")
            for decoding in ("constrained", "free")
        }

    def continue_(self, body: dict[str, Any]) -> list[list[int]]:
        """The tokens after each prompt of a call."""
        regex = body.get("structured_outputs", {}).get("regex")
        student = self.by["free" if regex is None else "constrained"]
        tool = next((tool for tool in TOOLS if student.codec.grammar(tool).regex() == regex), "")
        with torch.inference_mode():
            written = student._writer.write(body["prompt"], [tool] * len(body["prompt"]))
        end = [] if regex is None else [self.tokenizer.eos_token_id]
        return [[*ids, *end][: body["max_tokens"]] for ids in written]


@dataclass(frozen=True)
class Continue:
    """A completion of every prompt. `changes` are made to each of its choices, `without` is left out of them."""

    networks: Networks
    delay: float = 0.0
    changes: dict[str, Any] = field(default_factory=dict)
    without: str = ""
    model: str | None = None

    def response(self, call: Call) -> Response:
        choices = [
            {
                "index": index,
                "text": self.networks.tokenizer.decode(ids, skip_special_tokens=True),
                "token_ids": ids,
                "finish_reason": "stop" if ids[-1] == self.networks.tokenizer.eos_token_id else "length",
                **self.changes,
            }
            for index, ids in enumerate(self.networks.continue_(call.body))
        ]
        for choice in choices:
            choice.pop(self.without, None)
        # The order of choices is not promised.
        return JSONResponse({"model": self.model or call.body["model"], "choices": choices[::-1]})


@dataclass(frozen=True)
class Endless:
    """An answer that never ends."""

    delay: float = 0.0

    def response(self, call: Call) -> Response:
        return StreamingResponse(repeat(b" " * 65536), media_type="application/json")
