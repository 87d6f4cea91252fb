"""What can be wrong with a tool's settings."""

import reprlib
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError


class GradeError(ValueError):
    """Settings that a tool does not have.

    Attributes:
        tool: the tool's name, e.g. ``"adjust"``.
        parameter: dotted name inside the tool, e.g. ``"red.saturation"``; empty for the tool as a whole.
        value: what was given.
        allowed: the range in words, e.g. ``"-100..100"``.
    """

    def __init__(self, tool: str, parameter: str, value: object, allowed: str) -> None:
        self.tool, self.parameter, self.value, self.allowed = tool, parameter, value, allowed
        name = f"{tool}.{parameter}" if parameter else tool
        super().__init__(f"{name}: {_shown(value)} is not allowed, expected {allowed}")


def first_grade_error(tool: str, error: ValidationError, allowed: Callable[[tuple[Any, ...]], str]) -> GradeError:
    """The first problem of a pydantic error, named by tool, parameter, value and range."""
    problem = error.errors(include_url=False, include_context=False)[0]
    path = tuple(problem["loc"])
    parameter = ".".join(str(part) for part in path)
    if problem["type"] in {"extra_forbidden", "invalid_key"}:
        # The value of a name that does not exist says nothing; the name itself is the problem.
        parent = ".".join(str(part) for part in path[:-1])
        return GradeError(tool, parent, path[-1], allowed(path[:-1]))
    return GradeError(tool, parameter, problem["input"], allowed(path))


_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxlong = _REPR.maxother = 60


def _shown(value: object) -> str:
    """The value in at most 60 characters, however long or deep it is."""
    try:
        return _REPR.repr(value)[:60]
    except ValueError:  # Python writes no integer of thousands of digits
        return "an enormous number"
