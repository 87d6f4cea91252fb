"""How far people agree beyond chance, on answers that are names: 1 is always, 0 is as chance would have it.

Each unit (a question about one item) has the answers of those who answered it; whoever did not is not in its list.
"""

from collections import Counter
from collections.abc import Hashable, Sequence

Units = Sequence[Sequence[Hashable]]


def krippendorff_alpha(units: Units) -> float | None:
    """Krippendorff's alpha for nominal data; missing answers are allowed, a unit with one answer says nothing.

    Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), section C. None where it is not defined: nothing
    was answered twice, or all answers are the same.
    """
    paired = [unit for unit in units if len(unit) > 1]
    totals = Counter(answer for unit in paired for answer in unit)
    count = totals.total()
    expected = count**2 - sum(times**2 for times in totals.values())
    if expected == 0:
        return None
    observed = sum((len(unit) ** 2 - _squares(unit)) / (len(unit) - 1) for unit in paired)
    return 1 - (count - 1) * observed / expected


def fleiss_kappa(units: Units) -> float | None:
    """Fleiss' kappa over the units that as many answered as answered any: it knows no missing answers.

    Fleiss, "Measuring nominal scale agreement among many raters", Psychological Bulletin 76 (1971). None where it is
    not defined: no unit has two answers, or all answers are the same.
    """
    raters = max(map(len, units), default=0)
    full = [unit for unit in units if len(unit) == raters]
    if raters < 2:
        return None
    totals = Counter(answer for unit in full for answer in unit)
    by_chance = sum((times / totals.total()) ** 2 for times in totals.values())
    if by_chance == 1:
        return None
    agreed = sum((_squares(unit) - raters) / (raters * (raters - 1)) for unit in full) / len(full)
    return (agreed - by_chance) / (1 - by_chance)


def _squares(unit: Sequence[Hashable]) -> int:
    return sum(times**2 for times in Counter(unit).values())
