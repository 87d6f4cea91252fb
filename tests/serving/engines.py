"""An engine that answers by script, over the compact codec. It implements the protocol in earnest."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from zlib import crc32

from app.grade import Adjust, Filter, SelectiveAdjust, ToolSettings
from app.grade.codecs import CompactCodec
from app.students import Answer, EngineError, Prompt

CODEC = CompactCodec()
TOKENS = 7


def look(intent: str, tool: str) -> ToolSettings | None:
    """The settings that a scripted model gives an intent: other ones for other intents."""
    number = crc32(intent.encode()) % 100 + 1
    match tool:
        case "adjust":
            return Adjust(exposure=number)
        case "selective_adjust":
            return SelectiveAdjust.parse({"red": {"saturation": -number}}) if number % 2 else None
        case _:
            return Filter(name="vivid", intensity=number)


@dataclass
class ScriptedEngine:
    """Answers with `look`, unless `script` has something else for an intent's tool.

    `batches` lists what was asked, batch by batch. Nothing is answered while `gate` is closed; `failures` are the
    errors that the next batches raise.
    """

    script: dict[tuple[str, str], Answer] = field(default_factory=dict)
    failures: list[Exception] = field(default_factory=list)
    model: str = "scripted@1"
    decoding: str = "constrained"
    codec: CompactCodec = CODEC
    batches: list[list[Prompt]] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def generate(self, prompts: Sequence[Prompt]) -> list[Answer]:
        self.batches.append(list(prompts))
        self.threads.add(threading.get_ident())
        if not self.gate.wait(timeout=60):
            raise EngineError("the gate was never opened")
        if self.failures:
            raise self.failures.pop(0)
        return [self.script.get((prompt.intent, prompt.tool)) or self._written(prompt) for prompt in prompts]

    def _written(self, prompt: Prompt) -> Answer:
        return Answer(self.codec.encode(prompt.tool, look(prompt.intent, prompt.tool)), tokens=TOKENS)


@dataclass
class Factory:
    """Makes engines, one after another, while `gate` is open.

    `failures` are the errors of the next tries; `loads` counts the tries.
    """

    engines: list[ScriptedEngine]
    failures: list[Exception] = field(default_factory=list)
    loads: int = 0
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def __call__(self) -> ScriptedEngine:
        self.loads += 1
        self.gate.wait(timeout=60)
        if self.failures:
            raise self.failures.pop(0)
        return self.engines.pop(0)
