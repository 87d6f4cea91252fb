"""What an experiment counts: projects by variant that were started, and those of them that were exported."""

import re
from dataclasses import dataclass

_COUNTS = re.compile(r"(?P<name>[^=]+)=(?P<exported>\d{1,12})/(?P<started>\d{1,12})")


class ExperimentError(ValueError):
    """Counts that cannot be; the message names the variant and says what was expected."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One variant. `weight` is its intended part of the projects, in any unit. Raises ExperimentError."""

    name: str
    exported: int
    started: int
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.exported <= self.started:
            raise ExperimentError(f"{self.name}: {self.exported} of {self.started} projects cannot be exported")
        if not 0 < self.weight < float("inf"):
            raise ExperimentError(f"{self.name}: a weight of {self.weight:g} is not positive")

    @property
    def completion(self) -> float | None:
        """Exported / started; None where nothing was started."""
        return self.exported / self.started if self.started else None


def read_arm(text: str) -> Arm:
    """From ``name=exported/started``. Raises ExperimentError."""
    found = _COUNTS.fullmatch(text)
    if found is None:
        raise ExperimentError(f"{text!r} is no variant; expected name=exported/started, e.g. control=3120/10000")
    return Arm(found["name"].strip(), int(found["exported"]), int(found["started"]))


@dataclass(frozen=True, slots=True)
class Published:
    """A published experiment: projects by variant, and how often the second completes, measured in the control's rate.

    The completion rates themselves were not published.
    """

    control: tuple[str, int]
    variant: tuple[str, int]
    ratio: float

    def arms(self, completion: float) -> tuple[Arm, Arm]:
        """The counts as they are if the control completes so often (0..1). Raises ExperimentError."""
        if not 0 < completion < 1:
            raise ExperimentError(f"a completion rate of {completion:g} is not between 0 and 1")
        (control, of_control), (variant, of_variant) = self.control, self.variant
        return (
            Arm(control, round(of_control * completion), of_control),
            Arm(variant, round(of_variant * completion * self.ratio), of_variant),
        )


PUBLISHED = (
    Published(("Llama-2-7b", 93_495), ("teacher", 94_317), 0.961),
    Published(("Llama-2-7b", 20_282), ("Flan-T5-base", 20_294), 0.99),
)
"""Sultan et al. (2024); the first number of each published pair is taken for the variant that is named first."""
