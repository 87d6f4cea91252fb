"""The report as one page: a file that needs no server, no network and no script, made from the report's numbers alone.

Pictures are no part of those: they are rendered here from the grades that the report holds.
"""

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from app.distill.comparison.report import brief
from app.distill.distilling import figures
from app.distill.distilling.stages import Result
from app.distill.reality.photos import read_photos
from app.distill.reality.trials import address
from app.grade import TOOLS, Grade

PICTURE = 300
"""Longer side of the pictures, in pixels."""
LOOKS = {"mended": 2, "broken": 2}
"""How many answers of each kind are shown as pictures."""


@dataclass(frozen=True, slots=True)
class Look:
    """One intent on a photo; `edits` are pictures, as addresses, by what was done to it."""

    intent: str
    kind: str
    photo: str
    edits: dict[str, str]


def page(report: Result, photos: Path) -> str:
    """HTML. Raises RealityError where there are no photos."""
    source = files("app.distill.distilling") / "page"

    def load(name: str) -> str:
        return (source / name).read_text(encoding="utf-8")

    style = load("report.css")
    policy = (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src '{_hash(style)}'; "
        "style-src-attr 'unsafe-inline'"  # the drawings' own
    )
    frame = Environment(loader=FunctionLoader(load), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    frame.filters["settings"] = lambda grade: brief(Grade.parse(grade))
    frame.filters["number"] = lambda value: f"{value:.4g}".replace("-", "−")
    frame.filters["signed"] = lambda value: f"{value:+.3f}".replace("-", "−")
    frame.filters["words"] = lambda name: name.replace("_", " ")
    return frame.get_template("report.html").render(
        report=report,
        policy=policy,
        style=style,
        figures=_figures(report),
        looks=_looks(report, photos),
        students=_students(report),
        tools=list(TOOLS),
    )


def _figures(report: Result) -> dict[str, figures.Drawing]:
    drawn = {
        "training": figures.training(report),
        "scores": figures.scores(report),
        "rounds": figures.rounds(report),
        "turned": figures.turned(report),
        "latency": figures.latency(report),
    }
    return drawn | ({"funnel": figures.funnel(report)} if report["collect"] else {})


def _students(report: Result) -> dict[str, Any]:
    """Those whose scores are told: the current one, the first round's and the chosen one."""
    chosen = report["chosen"]
    first = {"round 0, before augmentation": report["rounds"][0]} if chosen else {}
    return {report["against"]: report["current"]} | first | {f"round {chosen}, the new one": report["rounds"][chosen]}


def _looks(report: Result, folder: Path) -> list[Look]:
    """Rendered side by side, each on another photo."""
    photos = [photo.scaled(PICTURE) for photo in read_photos(folder)]
    examples = report["against_current"]["examples"]
    chosen = [(kind, example) for kind, count in LOOKS.items() for example in examples[kind][:count]]
    shown = []
    for index, (kind, example) in enumerate(chosen):
        photo = photos[index % len(photos)]
        grades = {"teacher": "wanted", report["against"]: "before", report["model"]: "after"}
        edits = {who: address(photo.under(Grade.parse(example[key]))) for who, key in grades.items()}
        shown.append(Look(example["intent"], kind, photo.name, {"original": address(photo.pixels)} | edits))
    return shown


def _hash(text: str) -> str:
    """What a content security policy names an inline style by."""
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()
