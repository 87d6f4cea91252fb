"""Which steps of a grade no LUT can hold, since they look at a pixel's neighbours."""

from app.grade import Grade

SPATIAL = ("structure", "bloom", "sharpen")
"""The adjust tool's spatial parameters, in the order in which they are applied."""


def spatial_steps(grade: Grade) -> dict[str, int]:
    """The spatial parameters that a grade uses, and their amounts."""
    amounts = {name: getattr(grade.adjust, name, 0) for name in SPATIAL}
    return {name: amount for name, amount in amounts.items() if amount}
