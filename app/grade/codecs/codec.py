"""The protocol of a target format."""

from typing import Protocol

from app.grade.codecs.grammar import Grammar
from app.grade.strict_json import DecodeReason
from app.grade.tools import ToolSettings


class DecodeError(ValueError):
    """An answer that cannot be read. `reason` is the name that metrics and responses use."""

    def __init__(self, reason: DecodeReason, message: str) -> None:
        self.reason: DecodeReason = reason
        super().__init__(message)


class Codec(Protocol):
    """Writes a tool's settings as text and reads them back.

    For canonical settings (None where the tool is unused) ``decode(tool, encode(tool, s)) == s``, and the
    grammar of the tool accepts exactly the encoded texts.
    """

    name: str

    def encode(self, tool: str, settings: ToolSettings | None) -> str: ...

    def decode(self, tool: str, text: str) -> ToolSettings | None:
        """Canonical settings. Raises DecodeError; nothing is repaired."""
        ...

    def grammar(self, tool: str) -> Grammar: ...
