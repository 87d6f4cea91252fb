"""What can be expected of grades: the forms an expectation takes in a behaviours file, checked when it is read.

An expectation with `of` looks at that intent of its check alone, one without at each. `path` is a parameter, e.g.
``selective_adjust.green.saturation``, or a list of them that are added up, for words that leave the choice open
(brightness or exposure). A grade of None says that the student cannot read the intent; only `Unread` accepts it.
"""

import operator
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictInt,
    Tag,
    model_validator,
)

from app.grade import TOOLS, Grade, Slot, ToolSettings, tool_model

SLOTS: Mapping[str, Slot] = {f"{tool}.{slot.name}": slot for tool, model in TOOLS.items() for slot in model.slots()}
OPERATORS = {"<": operator.lt, "<=": operator.le, "==": operator.eq, ">=": operator.ge, ">": operator.gt}


def readings(grade: Grade) -> dict[str, Any]:
    """Every parameter's value by its path; those of an unused tool are neutral."""
    values = (value for tool, model in TOOLS.items() for value in (_used(grade, tool) or model()).flat())
    return dict(zip(SLOTS, values, strict=True))


def _used(grade: Grade, tool: str) -> ToolSettings | None:
    settings = grade.settings(tool)
    return settings and settings.canonical()


NEUTRAL = readings(Grade())


def _total(grade: Grade, paths: Sequence[str]) -> int:
    values = readings(grade)
    return sum(values[path] for path in paths)


def _number(path: str) -> str:
    if path not in SLOTS or SLOTS[path].options:
        raise ValueError(f"there is no number {path!r} in a grade")
    return path


def _name(path: str) -> str:
    if path not in SLOTS or not SLOTS[path].options:
        raise ValueError(f"there is no name {path!r} in a grade")
    return path


def _tool(name: str) -> str:
    tool_model(name)
    return name


def _form(row: object) -> str:
    """Which form a row has, told by the key that only this form knows."""
    keys = row if isinstance(row, dict) else ()
    return next((form for form in FORMS if form in keys), "")


FORMS = ("op", "between", "in", "unused", "only", "low_confidence", "any", "order")
BY_FORM = Discriminator(_form, "form", f"has none of the keys that tell its form: {', '.join(FORMS)}")

Index = Annotated[StrictInt, Field(ge=0)]
Numbers = Annotated[tuple[Annotated[str, AfterValidator(_number)], ...], Field(min_length=1)]
Sum = Annotated[Numbers, BeforeValidator(lambda path: (path,) if isinstance(path, str) else path)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _OfOne(_Row):
    """An expectation of single grades."""

    of: Index | None = None

    @abstractmethod
    def accepts(self, grade: Grade | None) -> bool: ...

    def missed(self, grades: Sequence[Grade | None]) -> tuple[int, ...]:
        """The numbers of the intents whose grades do not meet it."""
        return tuple(i for i, grade in enumerate(grades) if self.of in (None, i) and not self.accepts(grade))

    def indices(self) -> tuple[int, ...]:
        """The numbers of the intents that it names."""
        return () if self.of is None else (self.of,)


class _OfWhatIsRead(_OfOne):
    """An expectation that only a grade can meet."""

    @abstractmethod
    def met(self, grade: Grade) -> bool: ...

    def accepts(self, grade: Grade | None) -> bool:
        return grade is not None and self.met(grade)


class Comparison(_OfWhatIsRead):
    """A parameter, or a sum, against a number."""

    path: Sum
    op: Literal["<", "<=", "==", ">=", ">"]
    value: StrictInt

    def met(self, grade: Grade) -> bool:
        return bool(OPERATORS[self.op](_total(grade, self.path), self.value))

    def __str__(self) -> str:
        return f"{' + '.join(self.path)} {self.op} {self.value}"


class Between(_OfWhatIsRead):
    """A parameter, or a sum, within two bounds, both included."""

    path: Sum
    between: tuple[StrictInt, StrictInt]

    def met(self, grade: Grade) -> bool:
        low, high = self.between
        return low <= _total(grade, self.path) <= high

    def __str__(self) -> str:
        return f"{' + '.join(self.path)} in {self.between[0]}..{self.between[1]}"


class Named(_OfWhatIsRead):
    """One name out of several."""

    path: Annotated[str, AfterValidator(_name)]
    names: Annotated[tuple[str, ...], Field(alias="in", min_length=1)]

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if unknown := set(self.names) - set(SLOTS[self.path].options):
            raise ValueError(f"{self.path} is never {' or '.join(sorted(unknown))}")
        return self

    def met(self, grade: Grade) -> bool:
        return readings(grade)[self.path] in self.names

    def __str__(self) -> str:
        return f"{self.path} is {' or '.join(self.names)}"


class Unused(_OfWhatIsRead):
    """Tools that are left alone."""

    unused: Annotated[tuple[Annotated[str, AfterValidator(_tool)], ...], Field(min_length=1)]

    def met(self, grade: Grade) -> bool:
        return all(_used(grade, tool) is None for tool in self.unused)

    def __str__(self) -> str:
        return f"unused: {', '.join(self.unused)}"


class Only(_OfWhatIsRead):
    """Nothing is set, in any tool, but these numbers."""

    only: Numbers

    def met(self, grade: Grade) -> bool:
        return all(value == NEUTRAL[path] or path in self.only for path, value in readings(grade).items())

    def __str__(self) -> str:
        return f"nothing set but {', '.join(self.only)}"


class Unread(_OfOne):
    """The student says that it cannot read the intent."""

    low_confidence: Literal[True]

    def accepts(self, grade: Grade | None) -> bool:
        return grade is None

    def __str__(self) -> str:
        return "low confidence"


_Singles = (
    Annotated[Comparison, Tag("op")]
    | Annotated[Between, Tag("between")]
    | Annotated[Named, Tag("in")]
    | Annotated[Unused, Tag("unused")]
    | Annotated[Only, Tag("only")]
    | Annotated[Unread, Tag("low_confidence")]
)
Single = Annotated[_Singles, BY_FORM]


class Either(_OfOne):
    """At least one of several."""

    choices: Annotated[tuple[Single, ...], Field(alias="any", min_length=2)]

    @model_validator(mode="after")
    def _of_outside(self) -> Self:
        if any(choice.of is not None for choice in self.choices):
            raise ValueError("'of' belongs beside 'any', not inside")
        return self

    def accepts(self, grade: Grade | None) -> bool:
        return any(choice.accepts(grade) for choice in self.choices)

    def __str__(self) -> str:
        return " or ".join(map(str, self.choices))


class Order(_Row):
    """Intents along which a parameter, or a sum, moves away from zero to one side.

    None of them is zero, no step goes back, and the last is strictly further out than the first.
    """

    path: Sum
    order: Annotated[tuple[Index, ...], Field(min_length=2)]

    def missed(self, grades: Sequence[Grade | None]) -> tuple[int, ...]:
        values = [_total(grade, self.path) for i in self.order if (grade := grades[i]) is not None]
        grows = len(values) == len(self.order) and all(a * b > 0 and abs(a) <= abs(b) for a, b in pairwise(values))
        return () if grows and values[0] != values[-1] else self.order

    def indices(self) -> tuple[int, ...]:
        return self.order

    def __str__(self) -> str:
        return f"{' + '.join(self.path)} further from zero, intent by intent"


Expectation = Annotated[_Singles | Annotated[Either, Tag("any")] | Annotated[Order, Tag("order")], BY_FORM]
