"""What the model store knows of a student, written beside its weights as ``manifest.json``."""

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts or "\\" in name:
        raise ValueError(f"{name!r} names no file inside the model's folder")
    return name


Probability = Annotated[float, Field(gt=0, le=1)]
FileName = Annotated[str, AfterValidator(_inside)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class SlotThresholds(BaseModel):
    """How the distribution of a slot becomes a value; tuned on the validation part of the training data.

    used: a tool is used, with its likeliest name if it has names, from this probability on, by tool. nonzero: a
    number is set from this probability on, by tool. shrink: a number that is set is multiplied by that probability
    to this power.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    used: dict[str, Probability] = Field(default_factory=dict)
    nonzero: dict[str, Probability] = Field(default_factory=dict)
    shrink: float = Field(0.0, ge=0, le=10)


class Manifest(BaseModel):
    """One version of one student.

    Attributes:
        role: a ``base`` is a model to train from; it has no codec and answers nothing.
        base_model, revision: what it was made from, and the commit at the Hugging Face hub where there is one.
        prompt: how it is asked: ``slots`` (one pass over all values, as recolor-mini), or as a writing student's
            tokenizer wants it, ``plain`` or ``chat``.
        base: the student ``name@version`` in the same store whose weights this adapter belongs to.
        gpu_memory_gib: what a GPU must have for it; 0 where it needs none.
        files: the SHA-256 of every file that is loaded.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    version: int = Field(ge=1)
    role: Literal["student", "base"] = "student"
    architecture: str
    codec: str
    decoding: Literal["constrained", "free"]
    thresholds: SlotThresholds = SlotThresholds()
    prompt: Literal["slots", "plain", "chat"] = "slots"
    base: str | None = None
    gpu_memory_gib: float = Field(0, ge=0)
    licence: str
    base_model: str
    revision: str = ""
    datasets: dict[str, Sha256]
    training: dict[str, Any]
    scores: dict[str, Any]
    files: dict[FileName, Sha256]

    @property
    def model(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"
