"""The three editing tools: parameters, ranges, when a tool is unused, and its canonical form.

Every other description of a tool (JSON Schema, grammar, prompt, slider) is derived from the models here.
A tool's parameters are whole numbers, or one of a list of names; `slots` lists them flat and in order.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.grade.errors import GradeError, first_grade_error
from app.grade.presets import NO_PRESET, PresetName

Signed = Annotated[int, Field(strict=True, ge=-100, le=100)]
Amount = Annotated[int, Field(strict=True, ge=0, le=100)]
Degrees = Annotated[int, Field(strict=True, ge=0, le=360)]

Value = int | str


@dataclass(frozen=True, slots=True)
class Slot:
    """One parameter of a tool.

    `path` leads from the tool to the value, e.g. ``("red", "saturation")``. A number has `low` and `high`
    (both included) and no `options`; a name has its `options`.
    """

    path: tuple[str, ...]
    low: int = 0
    high: int = 0
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def scale(self) -> int:
        """The largest absolute value of a number, by which vectors are normalised."""
        return max(abs(self.low), abs(self.high))

    @property
    def allowed(self) -> str:
        return "one of " + ", ".join(self.options) if self.options else f"a whole number {self.low}..{self.high}"

    @property
    def values(self) -> tuple[Value, ...]:
        """All values that the slot can take, in order."""
        return self.options or tuple(range(self.low, self.high + 1))


class Group(BaseModel):
    """Settings that belong together; unknown names are refused, values are never coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ToolSettings(Group):
    """The settings of one tool. Every parameter has a neutral default, so a missing one is neutral."""

    tool: ClassVar[str]

    @property
    def is_used(self) -> bool:
        """Whether the tool changes anything: some number is not zero."""
        return any(isinstance(value, int) and value != 0 for value in self.flat())

    def canonical(self) -> Self | None:
        """These settings, or None where they change nothing."""
        return self if self.is_used else None

    def flat(self) -> tuple[Value, ...]:
        """The values in the order of `slots`."""
        return tuple(_reach(self, slot.path) for slot in self.slots())

    @classmethod
    def from_flat(cls, values: tuple[Value, ...]) -> Self:
        """The inverse of `flat`. Raises GradeError."""
        settings: dict[str, Any] = {}
        for slot, value in zip(cls.slots(), values, strict=True):
            group = settings
            for part in slot.path[:-1]:
                group = group.setdefault(part, {})
            group[slot.path[-1]] = value
        return cls.parse(settings)

    @classmethod
    @cache
    def slots(cls) -> tuple[Slot, ...]:
        return tuple(_slots(cls, ()))

    @classmethod
    def parse(cls, settings: object) -> Self:
        """Validate a mapping of settings; missing ones are neutral. Raises GradeError."""
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            raise first_grade_error(cls.tool, error, cls._allowed) from None

    @classmethod
    def _allowed(cls, path: tuple[Any, ...]) -> str:
        """What may stand at `path`: a slot's range, or the names inside a group."""
        below = [slot for slot in cls.slots() if slot.path[: len(path)] == path]
        if len(below) == 1 and below[0].path == path:
            return below[0].allowed
        return "an object with only " + ", ".join(dict.fromkeys(slot.path[len(path)] for slot in below))


class Adjust(ToolSettings):
    """Global grade. Exposure 40 is one photographic stop."""

    model_config = ConfigDict(title="Adjust")
    tool = "adjust"

    exposure: Signed = Field(0, title="Exposure", description="More or less light; 40 is one photographic stop.")
    contrast: Signed = Field(0, title="Contrast", description="A steeper or a flatter tone curve.")
    brightness: Signed = Field(0, title="Brightness", description="Brighter or darker mid-tones.")
    highlights: Signed = Field(0, title="Highlights", description="Brighter highlights; below zero they are recovered.")
    shadows: Signed = Field(0, title="Shadows", description="Opened shadows; below zero they are deepened.")
    saturation: Signed = Field(0, title="Saturation", description="All colours; -100 is black and white.")
    vibrance: Signed = Field(0, title="Vibrance", description="The muted colours only, and skin the least.")
    temperature: Signed = Field(0, title="Temperature", description="Warmer, towards amber, or colder, towards blue.")
    tint: Signed = Field(0, title="Tint", description="Towards magenta, or towards green.")
    linearOffset: Signed = Field(
        0, title="Linear offset", description="Lifted blacks, as of a matte print; below zero they are crushed."
    )
    hue: Degrees = Field(0, title="Hue", description="Turns every hue by so many degrees.")
    bloom: Amount = Field(0, title="Bloom", description="A glow around the lights.")
    sharpen: Amount = Field(0, title="Sharpen", description="Sharper edges.")
    structure: Amount = Field(0, title="Structure", description="Local contrast: texture and grit.")


class ColourRange(Group):
    """Saturation and luminance of one range of hues."""

    saturation: Signed = Field(0, title="Saturation", description="How strong these colours are; -100 is grey.")
    luminance: Signed = Field(0, title="Luminance", description="How light these colours are.")


class SelectiveAdjust(ToolSettings):
    """Saturation and luminance, colour range by colour range."""

    model_config = ConfigDict(title="Selective adjust")
    tool = "selective_adjust"

    red: ColourRange = Field(ColourRange(), title="Red")
    orange: ColourRange = Field(ColourRange(), title="Orange")
    yellow: ColourRange = Field(ColourRange(), title="Yellow")
    green: ColourRange = Field(ColourRange(), title="Green")
    cyan: ColourRange = Field(ColourRange(), title="Cyan")
    blue: ColourRange = Field(ColourRange(), title="Blue")


class Filter(ToolSettings):
    """A LUT preset, laid over the picture by its intensity in percent."""

    model_config = ConfigDict(title="Filter")
    tool = "filter"

    name: PresetName = Field(NO_PRESET, title="Preset", description="The look that is laid over the picture.")
    intensity: Amount = Field(0, title="Intensity", description="How much of the preset is blended in.")

    @property
    def is_used(self) -> bool:
        return self.name != NO_PRESET and self.intensity != 0


TOOLS: Mapping[str, type[ToolSettings]] = {model.tool: model for model in (Adjust, SelectiveAdjust, Filter)}


def tool_model(tool: str) -> type[ToolSettings]:
    """The model of a tool by name. Raises GradeError for a tool that does not exist."""
    try:
        return TOOLS[tool]
    except KeyError:
        raise GradeError("tools", "", tool, "one of " + ", ".join(TOOLS)) from None


def _reach(settings: BaseModel, path: tuple[str, ...]) -> Value:
    value: Any = settings
    for part in path:
        value = getattr(value, part)
    return value  # type: ignore[no-any-return]


def _slots(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[Slot]:
    for name, field in model.model_fields.items():
        here = (*path, name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _slots(field.annotation, here)
        elif get_origin(field.annotation) is not None:
            yield Slot(here, options=get_args(field.annotation))
        else:
            low = next(limit.ge for limit in field.metadata if hasattr(limit, "ge"))
            high = next(limit.le for limit in field.metadata if hasattr(limit, "le"))
            yield Slot(here, low=low, high=high)
