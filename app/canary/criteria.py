"""What a canary is judged by.

`canary.yaml` and `rules.yaml` beside this file are links to the chart's own, so that Argo's analysis, the alerts and
`recolor canary` ask the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

WINDOW = "10m"
"""That of the recorded series."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that a canary may be worse in.

    Attributes:
        name: also the value of the alert's label `judged_by`.
        series: its recorded series, which has the value now.
        most: the largest value that is still good.
        counts: names of the recorded counts that a share (`part`, `whole`) or a quantile (`times`) is computed from;
            empty for a state.
        together: so many counted things are no more than one observation.
    """

    name: str
    series: str
    most: float
    counts: Mapping[str, str]
    together: int = 1


def read_criteria() -> list[Criterion]:
    return [Criterion(**({"counts": {}} | it)) for it in _read("canary.yaml")]


def query(series: str, window: str) -> str:
    """The PromQL that a series is recorded from, over another window, such as ``30m``."""
    return _expressions()[series].replace(f"[{WINDOW}]", f"[{window}]")


@cache
def _expressions() -> dict[str, str]:
    rules = [rule for group in _read("rules.yaml")["groups"] for rule in group["rules"]]
    return {rule["record"]: rule["expr"] for rule in rules if "record" in rule}


def _read(name: str) -> Any:
    return yaml.safe_load(files(__package__).joinpath(name).read_text(encoding="utf-8"))
