"""What became of a run."""

from dataclasses import dataclass, field
from typing import Literal

from app.distill.dataset import Example
from app.distill.distilling.plan import Plan
from app.distill.distilling.stages import Result

Held = Literal["", "it", "another"]
"""What the model store has under a student's name: nothing, it, or another student."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All results by stage; `chosen` is the best round, `held` what the model store has under the run's name,
    `seen` how many test rows the current student was trained on.
    """

    plan: Plan
    stages: dict[str, Result]
    seconds: dict[str, float]
    chosen: int
    held: Held
    seen: Result
    rows: list[Example] = field(repr=False)

    @property
    def go(self) -> bool:
        return bool(self.stages["compare"]["go"])

    @property
    def released(self) -> bool:
        """Whether the model store has the student, by this decision or by an earlier call's."""
        return self.held == "it"

    @property
    def standing(self) -> str:
        """What became of the student, after "it is"."""
        if self.stages["release"]["released"]:
            return "released" if self.go else "released, against the verdict"
        if self.released:
            return "a no-go by the limits of this call, but was released by an earlier one"
        other = "; what the model store has under this name is the student of an earlier call"
        return "not released" + (other if self.held else "")
