"""What the rest of the system knows of a student."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.grade.codecs import Codec


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question to a student: which settings of `tool` give the look that `intent` names?"""

    intent: str
    tool: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a student wrote. `text` is in the student's codec; None where it cannot read the intent.

    `tokens` counts what it generated; `truncated` says that it hit the token limit.
    """

    text: str | None
    tokens: int = 0
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Generation:
    """The answers of one call, one a prompt and in order, and its seconds of waiting and of being answered."""

    answers: list[Answer]
    queued: float
    generating: float


class EngineError(RuntimeError):
    """The student could not run at all; nothing is known about any of its prompts."""


class Overloaded(RuntimeError):  # noqa: N818 - said as a caller says it
    """Too many prompts wait for the student; the caller may come back after `retry_after` seconds."""

    def __init__(self, retry_after: int = 1) -> None:
        self.retry_after = retry_after
        super().__init__("too many requests are waiting")


class Engine(Protocol):
    """A student that answers a batch at a time, on the caller's thread."""

    model: str
    """``name@version``."""
    codec: Codec
    decoding: str
    """``constrained`` or ``free``."""

    def generate(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer a prompt, in order. Raises EngineError."""
        ...


class Student(Protocol):
    """A student in service: takes prompts from many requests at once.

    `codec` and `decoding` are there once it has started, see `has_started`.
    """

    model: str
    codec: Codec
    decoding: str

    @property
    def ready(self) -> bool: ...

    async def start(self) -> None:
        """Load and warm up. Raises EngineError."""
        ...

    async def generate(self, prompts: Sequence[Prompt]) -> Generation:
        """Answer each prompt. Raises EngineError, Overloaded; a cancelled call stops costing."""
        ...

    async def close(self) -> None: ...


def has_started(student: Student) -> bool:
    """Whether it ever did: it may be dead by now."""
    return hasattr(student, "codec")
