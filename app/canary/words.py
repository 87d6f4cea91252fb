"""Numbers as people read them. What there is not is a dash, never a NaN."""

from typing import Literal

Unit = Literal["share", "seconds", "state"]

NOTHING = "–"


def amount(value: float | None, unit: Unit) -> str:
    """What a track has."""
    if value is None:
        return NOTHING
    match unit:
        case "share":
            return f"{value:.2%}"
        case "seconds":
            return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.1f} ms"
        case "state":
            return "yes" if value else "no"


def apart(value: float | None, unit: Unit) -> str:
    """How far the canary is from stable."""
    if value is None or unit == "state":
        return NOTHING
    return f"{_points(value)} points" if unit == "share" else f"{value:.2f} times"


def interval(low: float | None, high: float | None, unit: Unit) -> str:
    """An end that is not known is open."""
    if unit == "state" or (low is None and high is None):
        return NOTHING

    def end(value: float | None) -> str:
        return "?" if value is None else _points(value) if unit == "share" else f"{value:.2f}"

    return f"{end(low)} .. {end(high)}"


def tolerated(most: float, unit: Unit) -> str:
    match unit:
        case "share":
            return f"{100 * most:+g} points"
        case "seconds":
            return f"{most:g} times"
        case "state":
            return "no"


def _points(share: float) -> str:
    return f"{round(100 * share, 2) + 0.0:+.2f}"  # + 0.0, for there is no negative zero
