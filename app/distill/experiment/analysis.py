"""What the counts say.

- *Ratio* of completion rates with the interval of Katz et al. (1978), on the logarithm.
- *p*: two-sided score test of two proportions; Fisher's exact test where fewer than five exports are expected. Over
  several variants it is Holm's.
- *Sequential*: for those who look every day. The mixture sequential probability ratio test (Robbins 1970; Johari et
  al. 2017) on the logarithm of the ratio, normal as for the interval, gives a p-value and an interval that hold at
  every look at once. Its mixture is centred on no effect and as wide as the effect that is looked for.
- *Split*: chi-square test of the projects started against the intended weights. Below SPLIT_OFF something sends
  projects astray, and nothing else here can be believed.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from app.distill.experiment.counts import Arm, ExperimentError

LEVEL = 0.95
SPLIT_OFF = 0.001

Verdict = Literal["better", "worse", "undecided"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """The ratio of completion rates: `low`, `high` for one look that was planned, `always_…` for any number of them."""

    ratio: float
    low: float
    high: float
    always_low: float
    always_high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A variant against the control; no estimate where one of them was never exported.

    `p` is for one look that was planned, `always_p` for any number of them.
    """

    variant: str
    estimate: Estimate | None
    p: float
    always_p: float

    @property
    def verdict(self) -> Verdict:
        """By the sequential interval."""
        if self.estimate is not None and self.estimate.always_low > 1:
            return "better"
        if self.estimate is not None and self.estimate.always_high < 1:
            return "worse"
        return "undecided"


@dataclass(frozen=True, slots=True)
class Report:
    """`split_p` is None where there is nothing to test; `needed`: projects a variant for the lift that was asked for.

    `notes` say in words what could not be computed and why, and what must not be believed.
    """

    control: Arm | None
    variants: Sequence[Arm]
    comparisons: Sequence[Comparison]
    split_p: float | None
    lift: float
    power: float
    needed: int | None
    notes: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        arms = [arm for arm in (self.control, *self.variants) if arm is not None]
        return {
            "control": self.control and self.control.name,
            "variants": [asdict(arm) | {"completion": arm.completion} for arm in arms],
            "comparisons": [asdict(one) | {"verdict": one.verdict} for one in self.comparisons],
            "split_p": self.split_p,
            "sample_size": {"lift": self.lift, "power": self.power, "projects_per_variant": self.needed},
            "notes": self.notes,
        }


def analyse(arms: Sequence[Arm], control: str, lift: float, power: float, effect: float) -> Report:
    """`lift` (relative, e.g. 0.02) is what the sample size is for, `effect` what the sequential test looks for.

    Raises ExperimentError where the control is not among the arms, or a name is there twice.
    """
    names = [arm.name for arm in arms]
    if len(set(names)) < len(names):
        raise ExperimentError(f"a variant is there twice: {', '.join(names)}")
    if arms and control not in names:
        raise ExperimentError(f"there is no variant '{control}' to compare with; there are {', '.join(names)}")
    base = next((arm for arm in arms if arm.name == control), None)
    others = [arm for arm in arms if arm is not base]
    notes = [f"{arm.name}: no project was started" for arm in arms if not arm.started]
    if not others:
        notes.append(f"nothing to compare: there is {'one variant' if arms else 'no variant'}")
    comparisons: list[Comparison] = []
    if base is not None and base.started:
        p_values = _holm([_p(base, arm) for arm in others if arm.started])
        started = [arm for arm in others if arm.started]
        comparisons = [compare(base, arm, p, effect) for arm, p in zip(started, p_values, strict=True)]
    notes += [
        f"{one.variant}: without exports on both sides there is no ratio" for one in comparisons if not one.estimate
    ]
    split_p = _split_p(arms)
    if split_p is not None and split_p < SPLIT_OFF:
        notes.append(f"the split is off (p = {split_p:.1e}): find out why before believing anything else")
    needed = sample_size(base.completion, lift, power) if base is not None and base.completion else None
    if base is not None and needed is None:
        notes.append("no sample size: the control's completion rate leaves no room for this lift")
    return Report(base, others, comparisons, split_p, lift, power, needed, notes)


def compare(control: Arm, variant: Arm, p: float, effect: float) -> Comparison:
    """Both started; `p` has been computed beside those of the other variants."""
    if not control.exported or not variant.exported:
        return Comparison(variant.name, None, p, 1.0)
    log_ratio = math.log((variant.exported / variant.started) / (control.exported / control.started))
    variance = sum(1 / arm.exported - 1 / arm.started for arm in (control, variant))
    half = _quantile((1 + LEVEL) / 2) * math.sqrt(variance)
    always = _always_half(variance, effect)
    offsets = (0.0, -half, half, -always, always)
    estimate = Estimate(*(math.exp(log_ratio + offset) for offset in offsets))
    return Comparison(variant.name, estimate, p, _always_p(log_ratio, variance, effect))


def sample_size(completion: float, lift: float, power: float) -> int | None:
    """Projects a variant, two of them alike, to find a relative lift by a two-sided test; None where it cannot be."""
    from statsmodels.stats.power import NormalIndPower
    from statsmodels.stats.proportion import proportion_effectsize

    wanted = completion * (1 + lift)
    if not (0 < completion < 1 and 0 <= wanted <= 1) or wanted == completion:
        return None
    size = proportion_effectsize(wanted, completion)
    found: float = NormalIndPower().solve_power(abs(size), alpha=1 - LEVEL, power=power, ratio=1)
    return math.ceil(found)


def _p(control: Arm, variant: Arm) -> float:
    from scipy.stats import fisher_exact
    from statsmodels.stats.proportion import proportions_ztest

    arms = (variant, control)
    exported, started = [arm.exported for arm in arms], [arm.started for arm in arms]
    pooled = sum(exported) / sum(started)
    if min(min(pooled, 1 - pooled) * n for n in started) < 5:
        return float(fisher_exact([[arm.exported, arm.started - arm.exported] for arm in arms]).pvalue)
    return float(proportions_ztest(exported, started)[1])


def _holm(p_values: Sequence[float]) -> Sequence[float]:
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(p_values, method="holm")[1]] if p_values else []


def _split_p(arms: Sequence[Arm]) -> float | None:
    from scipy.stats import chisquare

    total, weights = sum(arm.started for arm in arms), sum(arm.weight for arm in arms)
    if len(arms) < 2 or not total:
        return None
    return float(chisquare([arm.started for arm in arms], [total * arm.weight / weights for arm in arms]).pvalue)


def _always_p(estimate: float, variance: float, effect: float) -> float:
    """One over the mixture likelihood ratio."""
    if not variance:  # everything was exported on both sides
        return 1.0
    both = variance + effect**2
    exponent = estimate**2 * effect**2 / (2 * variance * both)
    return min(1.0, math.sqrt(both / variance) * math.exp(-exponent))


def _always_half(variance: float, effect: float) -> float:
    """Half the interval of what the mixture test does not reject."""
    if not variance:
        return 0.0
    both = variance + effect**2
    return math.sqrt(2 * variance * both / effect**2 * math.log(math.sqrt(both / variance) / (1 - LEVEL)))


def _quantile(part: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(part)
