"""How a teacher's chain-of-thought answer is read: a paragraph ``TOOL:``, then ``JSON:`` and one object.

Nothing is repaired. Tolerated are only wrappings: Markdown, a code fence, prose around the one object.
"""

import re
from dataclasses import dataclass

from app.grade import GradeError, ToolSettings, strict_json, tool_model
from app.teacher.errors import TeacherError

_MARKDOWN = r"[ \t#*>_`-]*"
_TOOL_LABEL = re.compile(rf"\A[\s#*>_`-]*tool{_MARKDOWN}:{_MARKDOWN}", re.IGNORECASE)
_JSON_LABEL = re.compile(rf"^{_MARKDOWN}json{_MARKDOWN}:{_MARKDOWN}", re.IGNORECASE | re.MULTILINE)
_LEAD_IN = re.compile(rf"(?:\bjson{_MARKDOWN}:\s*)?(?:```\w*\s*)?\Z", re.IGNORECASE)

_NOT = r"(?:\bnot\b(?!\s+only)|n['’]t\b(?!\s+only)|\bno need\b)"
_YES = re.compile(r"yes\b", re.IGNORECASE)
_NO = re.compile(
    "|".join(
        (
            r"\Ano ?(?:[.,;:!–—-]|\Z)",
            rf"\btool\b[^.!?\n]{{0,20}}{_NOT}[^.!?\n]{{0,20}}\b(?:used?|needed|necessary|required)\b",
            rf"{_NOT}[^.!?\n]{{0,20}}\b(?:use|need|require|apply|call for)\b[^.!?\n]{{0,20}}\btool\b",
            r"(?:\A|[.!?:\n]) ?no (?:\w+ ){1,2}(?:is|are) (?:used|needed|necessary|required)\b",
        )
    ),
    re.IGNORECASE,
)
_NOTHING = re.compile(
    r"\W*(?:json\W+)?(?:none|null|no|n/?a|unused|not (?:used|needed|necessary|required|applicable))\W*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Reading:
    """`settings` are canonical: None where the teacher does not use the tool."""

    settings: ToolSettings | None
    reasoning: str


def read(tool: str, text: str, *, cut: bool = False) -> Reading:
    """Read an answer about `tool`; `cut` says that the server stopped it before its end.

    Raises TeacherError: ``truncated``, ``invalid_json`` (also for prose that neither has JSON nor states a no)
    or ``schema`` (an unknown, repeated, fractional, boolean or out-of-range value).
    """
    if cut:
        raise TeacherError("truncated", f"{tool}: the answer was cut off")
    reasoning, body = _parts(text)
    start = body.find("{")
    if start >= 0:
        return Reading(_settings(tool, body[start:].rstrip().removesuffix("```")), reasoning)
    if _NOTHING.fullmatch(body) or (not _YES.match(reasoning) and _NO.search(reasoning)):
        return Reading(None, reasoning)
    raise TeacherError("invalid_json", f"{tool}: neither JSON nor a stated no")


def _parts(text: str) -> tuple[str, str]:
    """The reasoning, and the part in which the object is to be found."""
    label = _JSON_LABEL.search(text)
    if label:
        reasoning, body = text[: label.start()], text[label.end() :]
    else:
        start = text.find("{")
        reasoning, body = (text[:start], text[start:]) if start >= 0 else (text, text)
        reasoning = _LEAD_IN.sub("", reasoning)
    return _TOOL_LABEL.sub("", reasoning).strip(), body


def _settings(tool: str, text: str) -> ToolSettings | None:
    """Settings from a text that begins with an object."""
    try:
        data, end = strict_json.read_first(text)
        if re.search(r"[{}\[\]]", text[end:]):
            raise TeacherError("invalid_json", f"{tool}: more than one object")
        return tool_model(tool).parse(data).canonical()
    except strict_json.StrictJSONError as error:
        raise TeacherError(error.reason, f"{tool}: {error}") from None
    except GradeError as error:
        raise TeacherError("schema", str(error)) from None
