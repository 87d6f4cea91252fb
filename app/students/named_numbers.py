"""The numbers that a request names, on the scale of the parameters: "+17", "minus 5", "40%", "a stop and a half".

No years, decades, times, fractions of something, nor counts of something else.
"""

import re
from dataclasses import dataclass

STOP = 40
"""Units of exposure in a photographic stop."""
_NUMBER = re.compile(
    r"(?<![\w.,:/])(?P<sign>[+-]|minus |plus )?(?P<number>\d{1,3})"
    r"(?![\w:/]|[.,]\d| ?(?:stops?|ev|k|mm|pm|am|x|times)\b)",
    re.IGNORECASE,
)
_AMOUNTS = {
    "a quarter of a": 0.25, "a third of a": 1 / 3, "one third": 1 / 3, "1/3": 1 / 3, "two thirds of a": 2 / 3,
    "2/3": 2 / 3, "half a": 0.5, "half": 0.5, "1/2": 0.5, "a full": 1, "one full": 1, "a": 1, "one": 1,
    "one and a half": 1.5, "1 1/2": 1.5, "two": 2, "two and a half": 2.5, "three": 3,
}  # fmt: skip
_STOPS = re.compile(
    r"(?<![\w.,/])(?P<sign>[+-]|minus |plus )?"
    rf"(?P<amount>{'|'.join(sorted(map(re.escape, _AMOUNTS), key=len, reverse=True))}|\d?\.?\d+)"
    r"(?: of a)? ?(?:stops?|ev)\b(?P<more> and a half)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class NamedNumber:
    """`value` is not negative; `sign` is -1 or 1 as typed, 0 where none is; `is_stops` says that it means exposure."""

    value: int
    sign: int = 0
    is_stops: bool = False


def named_numbers(text: str) -> list[NamedNumber]:
    """In the order of the text; stops turned into units of exposure."""
    found = [(match.start(), NamedNumber(int(match["number"]), _sign(match))) for match in _NUMBER.finditer(text)]
    found += [(match.start(), NamedNumber(_units(match), _sign(match), True)) for match in _STOPS.finditer(text)]
    return [number for _, number in sorted(found, key=lambda pair: pair[0])]


def _sign(match: re.Match[str]) -> int:
    sign = (match["sign"] or "").strip().lower()
    return {"+": 1, "plus": 1, "-": -1, "minus": -1}.get(sign, 0)


def _units(match: re.Match[str]) -> int:
    """Units of exposure; thirds of a stop fall on the grid of 5."""
    amount = match["amount"].lower()
    stops = (_AMOUNTS[amount] if amount in _AMOUNTS else float(amount)) + (0.5 if match["more"] else 0)
    return 5 * round(stops * STOP / 5)
