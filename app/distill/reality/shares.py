"""A count out of a number of answers, and how sure its share is."""

from dataclasses import dataclass
from math import sqrt

_Z = 1.959964
"""Standard deviations that hold 95% of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `total` answers; `low` and `high` bound the true share with 95% confidence, 0..1."""

    count: int
    total: int
    low: float
    high: float

    @classmethod
    def of(cls, count: int, total: int) -> "Share":
        return cls(count, total, *wilson(count, total))

    def __str__(self) -> str:
        """For a table: ``13 of 15 (62-96%)``."""
        return f"{self.count} of {self.total} ({self.low:.0%}-{self.high:.0%})" if self.total else "-"


def wilson(count: int, total: int) -> tuple[float, float]:
    """The score interval at 95%; all of 0..1 where there are no answers.

    Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
    Statistical Association 22 (1927). It stays within 0..1 and holds for small counts and for shares of 0 and 1.
    """
    if total == 0:
        return 0.0, 1.0
    share = count / total
    middle = share + _Z**2 / (2 * total)
    reach = _Z * sqrt(share * (1 - share) / total + _Z**2 / (4 * total**2))
    low, high = ((middle + sign * reach) / (1 + _Z**2 / total) for sign in (-1, 1))
    return (0.0 if count == 0 else low), (1.0 if count == total else high)
