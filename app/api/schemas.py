"""What goes over the wire, as pydantic models: requests are validated by them, answers documented."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app.events import FeedbackKind
from app.grade import TOOLS, Grade, fold
from app.render import PhotoFormat

LONGEST_INTENT = 200
LONGEST_ID = 128

# Tab, line feed, vertical tab, form feed and carriage return are white space that people paste.
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _refuse(pattern: re.Pattern[str]) -> BeforeValidator:
    def check(value: Any) -> Any:
        if isinstance(value, str) and pattern.search(value):
            raise PydanticCustomError("control_characters", "String should have no control characters")
        return value

    return BeforeValidator(check)


def _fold_white_space(text: str) -> str:
    return " ".join(text.split())


def _visible(text: str) -> str:
    if not fold(text):
        raise PydanticCustomError("invisible", "String should have visible characters")
    return text


def _known(tool: str) -> str:
    if tool not in TOOLS:
        raise PydanticCustomError("unknown_tool", "Tool should be one of {tools}", {"tools": ", ".join(TOOLS)})
    return tool


def _distinct(tools: list[str]) -> list[str]:
    if len(set(tools)) < len(tools):
        raise PydanticCustomError("repeated_tool", "Each tool should be named once")
    return tools


Intent = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_INTENT),
    _refuse(_CONTROL_IN_TEXT),
    AfterValidator(_fold_white_space),
    AfterValidator(_visible),
]
Id = Annotated[str, StringConstraints(max_length=LONGEST_ID), _refuse(_CONTROL)]
ToolName = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": list(TOOLS)})]


class RecolorBody(BaseModel):
    """A look in the user's own words."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    intent: Intent = Field(description="The look. White space around it does not count.", examples=["golden hour"])
    project_id: Id | None = Field(None, description="The project that is edited.")
    user_id: Id | None = Field(None, description="The user who asks.")
    tools: Annotated[list[ToolName], Field(min_length=1), AfterValidator(_distinct)] | None = Field(
        None,
        description="The tools that may be used, each once; all of them where none are named.",
        json_schema_extra={"uniqueItems": True},
    )


Strength = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class Look(BaseModel):
    """A look: either in words, or as a grade."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        json_schema_extra={"oneOf": [{"required": ["intent"]}, {"required": ["grade"]}]},
    )

    intent: Intent | None = Field(None, description="The look in words, answered as by `/recolor`.")
    grade: Grade | None = Field(None, description="The tools' settings; what is missing is neutral.")
    strength: Strength = Field(100, description="How much of the look, in percent.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.intent is None) == (self.grade is None):
            raise PydanticCustomError("one_of_both", "Give either intent or grade")
        return self

    @property
    def title(self) -> str:
        """What an editor lists the look as."""
        return self.intent or "Recolor"

    def canonical_grade(self) -> Grade:
        """The grade, where there is one: tools that change nothing are None."""
        return Grade.of(dict(self.grade or Grade()))


class LutBody(Look):
    """A look, and how it is sampled."""

    size: Literal[17, 33, 65] = Field(33, description="Points an axis.")


class XmpBody(Look):
    """A look, and as what Lightroom has it."""

    kind: Literal["preset", "profile"] = Field(
        "preset", description="`preset`: sliders to go on with, near the look. `profile`: its exact colours."
    )


class RenderBody(Look):
    """The text fields of a form with a photo in it."""

    model_config = ConfigDict(strict=False)

    format: PhotoFormat | None = Field(None, description="The format to write; by default that of the photo.")


class RecolorAnswer(Grade):
    """A grade. A requested tool that is not used is null; a tool that was not requested is absent."""

    request_id: str = Field(description="Name this when you report feedback or a problem.")
    intent: str = Field(description="As it was understood: without white space around it.")
    sources: dict[str, str] = Field(
        description="Who decided each tool, `student` or `teacher`; a tool that nobody could decide is absent."
    )
    failed: dict[str, str] = Field(
        description="Why a tool could not be decided: `invalid_json`, `schema`, `truncated`, `timeout`, "
        "`engine_error`, `teacher_error`, or `low_confidence` (no model at hand can read the text)."
    )
    cached: bool = Field(description="Whether the whole answer was known already.")
    model: str = Field(
        description="Who answers first: a student, `name@version`; or, in a variant of an experiment and for an answer "
        "that is sampled from it, the teacher."
    )
    variant: str = Field(description="The experiment's variant that answered.")
    timings_ms: dict[str, float] = Field(description="Milliseconds: `total`, and the stages that there were.")


class FeedbackBody(BaseModel):
    """What a user did with an answer."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    request_id: Annotated[Id, Field(min_length=1)] = Field(description="The answer's `request_id`.")
    event: FeedbackKind = Field(description="What was done with the answer.")
    tools: Annotated[list[ToolName], AfterValidator(_distinct)] | None = Field(
        None,
        description="The tools that were kept in the export, each once; all of them where the field is absent. "
        "Of a discarded answer none is kept, whatever stands here.",
        json_schema_extra={"uniqueItems": True},
    )
    project_id: Id | None = Field(None, description="The project that was edited.")
    user_id: Id | None = Field(None, description="The user who edited it.")


class FeedbackAnswer(BaseModel):
    """The feedback is kept, and will be joined with the answer that it is about."""

    request_id: str
    event: FeedbackKind


class Problem(BaseModel):
    code: str = Field(description="What went wrong, for programs.")
    message: str = Field(description="What went wrong, for people; names the field where there is one.")
    request_id: str
    trace_id: str | None = Field(None, description="Of the request's trace; absent where the service does not trace.")


class ErrorAnswer(BaseModel):
    """The one shape of every error."""

    error: Problem


class ModelAnswer(BaseModel):
    role: Literal["student", "teacher"]
    model: str = Field(description="A student's `name@version`; a teacher's name at its server.")
    ready: bool = Field(description="Whether it can answer now.")
    codec: str | None = Field(None, description="The format a student writes in.")
    decoding: str | None = Field(None, description="`constrained` to the tool's grammar, or `free`.")


class ModelsAnswer(BaseModel):
    """Who answers here: the student, those of an experiment's other variants, and the teacher if there is one."""

    models: list[ModelAnswer]


class ToolsAnswer(RootModel[dict[str, dict[str, Any]]]):
    """The JSON Schema of each tool's settings, by the tool's name."""


class AliveAnswer(BaseModel):
    status: Literal["alive"]


class ReadyAnswer(BaseModel):
    status: Literal["ready", "degraded"] = Field(description="`degraded`: only the teacher can answer.")
    model: str = Field(description="The student, `name@version`.")
