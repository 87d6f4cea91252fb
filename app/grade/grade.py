"""A whole grade: what each tool is set to, None where a tool is not used."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from app.grade.errors import GradeError
from app.grade.tools import TOOLS, Adjust, Filter, SelectiveAdjust, ToolSettings, tool_model


class Grade(BaseModel):
    """The settings of all tools, in canonical form when made by `of` or `parse`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    adjust: Adjust | None = None
    selective_adjust: SelectiveAdjust | None = None
    filter: Filter | None = None

    @classmethod
    def of(cls, tools: Mapping[str, ToolSettings | None]) -> Self:
        """From settings by tool name; a tool that changes nothing becomes None."""
        return cls.model_validate({tool: settings and settings.canonical() for tool, settings in tools.items()})

    @classmethod
    def parse(cls, tools: object) -> Self:
        """From plain data, e.g. a row of a dataset. Raises GradeError."""
        if not isinstance(tools, Mapping):
            raise GradeError("grade", "", tools, "an object with only " + ", ".join(TOOLS))
        models = {tool: tool_model(tool) for tool in tools}
        return cls.of(
            {tool: None if tools[tool] is None else model.parse(tools[tool]) for tool, model in models.items()}
        )

    def settings(self, tool: str) -> ToolSettings | None:
        """The settings of one tool by its name."""
        tool_model(tool)
        return getattr(self, tool)  # type: ignore[no-any-return]

    def plain(self) -> dict[str, Any]:
        """The grade as JSON-ready data: every parameter of a used tool, null for an unused one."""
        return self.model_dump()


def json_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each tool's settings, by tool name."""
    return {tool: model.model_json_schema() for tool, model in TOOLS.items()}
