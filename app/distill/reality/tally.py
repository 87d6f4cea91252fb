"""What people found, counted: who is preferred, whose edits fit, whether the student mimics, and who agrees."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.distill.reality.agreement import fleiss_kappa, krippendorff_alpha
from app.distill.reality.ballot import Item, Key
from app.distill.reality.shares import Share
from app.distill.reality.verdicts import VERDICTS, Side, Verdict
from app.distill.reality.votes import Vote, Votes

POOLED = "all together"
Cast = tuple[Item, Vote]
"""A vote, and the photo that it is about."""


@dataclass(frozen=True, slots=True)
class Count:
    """The answers of one annotator, or of all: shares of the answers that were given.

    `fits`: edits that fit the request, by whose they are. `same_look`: photos where both edits have one look.
    """

    annotator: str
    preference: dict[Verdict, Share]
    fits: dict[Side, Share]
    same_look: Share


@dataclass(frozen=True, slots=True)
class Agreement:
    """Between annotators, on one question; None where it is not defined. `units` have at least two answers."""

    units: int
    alpha: float | None
    kappa: float | None


@dataclass(frozen=True, slots=True)
class Tally:
    """`counts` has the annotators one by one, then POOLED."""

    model: str
    items: int
    counts: list[Count]
    agreement: dict[str, Agreement]

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def tally(returned: Sequence[Votes], key: Key) -> Tally:
    """Count the votes of one page."""
    items = {item.item: item for item in key.items}
    cast = {votes.annotator: [(items[vote.item], vote) for vote in votes.votes] for votes in returned}
    everyone = [one for own in cast.values() for one in own]
    counts = [_count(annotator, own) for annotator, own in cast.items()]
    agreement = {
        "preference": _agreement(everyone, lambda item, vote: [("", preferred(item, vote))]),
        "fits": _agreement(everyone, lambda item, vote: [(side, fits(item, vote, side)) for side in (item.a, item.b)]),
        "same look": _agreement(everyone, lambda _, vote: [("", vote.same_look)]),
    }
    return Tally(key.model, len(key.items), [*counts, _count(POOLED, everyone)], agreement)


def preferred(item: Item, vote: Vote) -> Verdict | None:
    """Whose edit is preferred; None where the question was left open."""
    match vote.preference:
        case "a":
            return item.a
        case "b":
            return item.b
    return vote.preference


def fits(item: Item, vote: Vote, side: Side) -> bool | None:
    """Whether a side's edit fits the request; None where the question was left open."""
    return vote.fits_a if item.a == side else vote.fits_b


def _count(annotator: str, cast: Sequence[Cast]) -> Count:
    preferences = [preferred(item, vote) for item, vote in cast]
    given = [preference for preference in preferences if preference is not None]
    return Count(
        annotator,
        {verdict: Share.of(given.count(verdict), len(given)) for verdict in VERDICTS},
        {
            "student": _yes([fits(item, vote, "student") for item, vote in cast]),
            "teacher": _yes([fits(item, vote, "teacher") for item, vote in cast]),
        },
        _yes([vote.same_look for _, vote in cast]),
    )


def _yes(answers: Sequence[bool | None]) -> Share:
    return Share.of(answers.count(True), len(answers) - answers.count(None))


def _agreement(
    cast: Sequence[Cast], answers: Callable[[Item, Vote], Sequence[tuple[str, Hashable | None]]]
) -> Agreement:
    """`answers` gives what a vote says of a photo, by part of the photo (a side, or the whole)."""
    units: dict[tuple[str, str], list[Hashable]] = {}
    for item, vote in cast:
        for part, answer in answers(item, vote):
            if answer is not None:
                units.setdefault((item.item, part), []).append(answer)
    listed = list(units.values())
    return Agreement(sum(len(unit) > 1 for unit in listed), krippendorff_alpha(listed), fleiss_kappa(listed))
