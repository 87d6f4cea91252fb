"""The domain: tools, ranges, presets, schemas, codecs. The one source for each of them."""

from app.grade.errors import GradeError
from app.grade.grade import Grade, json_schemas
from app.grade.intent import fold
from app.grade.presets import NO_PRESET, PRESETS
from app.grade.tools import TOOLS, Adjust, Filter, SelectiveAdjust, Slot, ToolSettings, tool_model

__all__ = [
    "NO_PRESET",
    "PRESETS",
    "TOOLS",
    "Adjust",
    "Filter",
    "Grade",
    "GradeError",
    "SelectiveAdjust",
    "Slot",
    "ToolSettings",
    "fold",
    "json_schemas",
    "tool_model",
]
