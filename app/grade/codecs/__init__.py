"""Target formats: how a tool's settings are written for a student, and read back."""

from app.grade.codecs.codec import Codec, DecodeError
from app.grade.codecs.compact import CompactCodec
from app.grade.codecs.grammar import Grammar
from app.grade.codecs.json import JsonCodec
from app.grade.codecs.letters import LettersCodec
from app.grade.codecs.row import RowCodec

CODECS: dict[str, Codec] = {codec.name: codec for codec in (JsonCodec(), CompactCodec(), LettersCodec())}

__all__ = ["CODECS", "Codec", "CompactCodec", "DecodeError", "Grammar", "JsonCodec", "LettersCodec", "RowCodec"]
