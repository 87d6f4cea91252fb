"""Experiments: which variant answers a project.

A project keeps its variant, in every replica and after every restart: it follows from a hash of the experiment's name
and the project's id. Requests without a project are no part of an experiment.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from app.settings import Settings
from app.students import ModelStoreError
from app.students.store import require_model_name

CONTROL = "control"
"""Answers what no other variant does: the student of RECOLOR_MODEL, and the only variant while no experiment runs."""

TEACHER = "teacher"
"""In place of a student's ``name@version``: the teacher answers."""

MOST = 8
"""Variants beside the control: each is a label of metrics, and takes its part of the projects from the others."""

_NAME = re.compile(r"[a-z0-9-]{1,32}")
_VARIANT = re.compile(r"(?P<name>[^:=]+):(?P<percent>\d+(?:\.\d+)?)=(?P<model>\S+)")


@dataclass(frozen=True, slots=True)
class Variant:
    """`percent` of the projects are answered by `model`: a student's ``name@version``, or TEACHER."""

    name: str
    percent: float
    model: str


@dataclass(frozen=True, slots=True)
class Experiment:
    """The variants beside the control, which has the rest of the projects."""

    name: str
    variants: Sequence[Variant]

    @property
    def percents(self) -> Mapping[str, float]:
        """The part of each variant, the control's first."""
        parts = {variant.name: variant.percent for variant in self.variants}
        return {CONTROL: 100 - sum(parts.values()), **parts}

    def variant_of(self, project_id: str) -> str:
        """The name of a project's variant.

        The variants take their parts of a line in turn from its two ends, and the control has the middle. So a part
        that grows or shrinks moves projects out of the control or back into it, and with one or two variants no other.
        """
        text = f"{self.name}\0{project_id}".encode("utf-8", "surrogatepass")
        place = int.from_bytes(sha256(text).digest()[:8]) / 2**64 * 100
        low, high = 0.0, 100.0
        for index, variant in enumerate(self.variants):
            if index % 2 == 0:
                low += variant.percent
            else:
                high -= variant.percent
            if not low <= place < high:
                return variant.name
        return CONTROL


def read_experiment(settings: Settings) -> Experiment | None:
    """The experiment that the settings describe, if any. Raises ValueError, which names the variable."""
    if not settings.variants and not settings.experiment:
        return None
    if not settings.variants or not settings.experiment:
        raise ValueError(
            "RECOLOR_EXPERIMENT and RECOLOR_VARIANTS go together: the name of an experiment and who takes part, "
            "e.g. bolder-looks and bolder:10=recolor-mini@2"
        )
    if not _NAME.fullmatch(settings.experiment):
        raise ValueError(f"RECOLOR_EXPERIMENT: {settings.experiment!r} is no name of a-z, 0-9 and -, 32 at most")
    variants = [_read(part.strip()) for part in settings.variants.split(",") if part.strip()]
    names = [variant.name for variant in variants]
    if len(set(names)) < len(names) or CONTROL in names:
        raise ValueError(
            f"RECOLOR_VARIANTS: a name is there twice, or is {CONTROL}, which is RECOLOR_MODEL and not listed"
        )
    if not 1 <= len(variants) <= MOST:
        raise ValueError(f"RECOLOR_VARIANTS names {len(variants)} variants; there may be 1 to {MOST} beside {CONTROL}")
    experiment = Experiment(settings.experiment, variants)
    if experiment.percents[CONTROL] <= 0:
        raise ValueError(
            f"RECOLOR_VARIANTS: {sum(v.percent for v in variants):g}% of the projects leave none to {CONTROL}"
        )
    return experiment


def rivals_in(settings: Settings) -> list[str]:
    """The students of the other variants, each once, ``name@version``.

    Raises ValueError, also where the backend cannot answer by several.
    """
    experiment = read_experiment(settings)
    models = [variant.model for variant in experiment.variants] if experiment else []
    rivals = [model for model in dict.fromkeys(models) if model not in (TEACHER, settings.model)]
    if rivals and settings.backend == "vllm":
        raise ValueError(
            f"RECOLOR_VARIANTS: {rivals[0]} would be a second engine of vLLM in this process; serve both by a vLLM of "
            "their own, RECOLOR_BACKEND=remote"
        )
    if rivals and settings.remote_model:
        raise ValueError(
            f"RECOLOR_REMOTE_MODEL names one model, but RECOLOR_VARIANTS has {rivals[0]}, too: leave it empty, and "
            "each student is asked for by its name@version"
        )
    return rivals


def _read(text: str) -> Variant:
    """From ``name:percent=model``. Raises ValueError."""
    found = _VARIANT.fullmatch(text)
    if found is None or not _NAME.fullmatch(found["name"]):
        raise ValueError(
            f"RECOLOR_VARIANTS: {text!r} is no variant; expected name:percent=model, with a name of a-z, 0-9 and -, "
            f"e.g. bolder:10=recolor-mini@2 or teacher:5={TEACHER}"
        )
    variant = Variant(found["name"], float(found["percent"]), found["model"])
    if not variant.percent:
        raise ValueError(f"RECOLOR_VARIANTS: {variant.name} has 0% of the projects; leave it out")
    if variant.model != TEACHER:
        try:
            require_model_name(variant.model)
        except ModelStoreError as error:
            raise ValueError(f"RECOLOR_VARIANTS: {variant.name}: {error}") from None
    return variant
