"""What a judge's replies amount to: a verdict on each trial, and how far to trust it.

Models that look at pictures favour a place, often the first one. So each trial is shown in both orders, and only a
verdict that both agree on counts for a side; any other is neutral.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from app.distill.reality.shares import Share

Side = Literal["student", "teacher"]
Verdict = Literal["student", "teacher", "neutral"]
VERDICTS: tuple[Verdict, ...] = ("student", "teacher", "neutral")
ORDERS: tuple[tuple[Side, Side], ...] = (("teacher", "student"), ("student", "teacher"))
"""Whose edit is called A, and whose B."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `first` is whose edit was called A; `verdict` is None where nothing readable came."""

    first: Side
    verdict: Verdict | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One trial, judged: `replies` is empty where the edits are the same picture, and nobody was asked.

    `verdict` is None where one of the orders has no readable reply. `consistent`: both orders had the same verdict.
    """

    intent: str
    domain: str
    photo: str
    replies: tuple[Reply, ...]

    @property
    def verdict(self) -> Verdict | None:
        a, b = self._by_order()
        if a is None or b is None:
            return None
        return a if a == b else "neutral"

    @property
    def consistent(self) -> bool:
        a, b = self._by_order()
        return a is not None and a == b

    def _by_order(self) -> list[Verdict | None]:
        if not self.replies:
            return ["neutral", "neutral"]
        return [_most([reply for reply in self.replies if reply.first == first]) for first, _ in ORDERS]


@dataclass(slots=True)
class Hearing:
    """All that the judge said. `error` says why it ended early, if it did; dollars follow from the settings' prices."""

    model: str
    judgements: list[Judgement] = field(default_factory=list)
    calls: int = 0
    unanswered: int = 0
    unreadable: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dollars: float = 0.0
    error: str | None = None

    def shares(self) -> dict[Verdict, Share]:
        """How often each verdict was found, of the trials that have one."""
        counts = Counter(judgement.verdict for judgement in self._decided())
        return {verdict: Share.of(counts[verdict], len(self._decided())) for verdict in VERDICTS}

    def consistent(self) -> Share:
        """In how many of the trials that were asked about both orders had the same verdict."""
        asked = [judgement for judgement in self._decided() if judgement.replies]
        return Share.of(sum(judgement.consistent for judgement in asked), len(asked))

    def first(self) -> Share:
        """How often the picture shown first was chosen, of the replies that chose: half of them without any bias."""
        replies = [reply for judgement in self.judgements for reply in judgement.replies]
        chosen = [reply for reply in replies if reply.verdict in ("student", "teacher")]
        return Share.of(sum(reply.verdict == reply.first for reply in chosen), len(chosen))

    def undecided(self) -> int:
        """Trials that have no verdict, since one of their orders has no readable reply."""
        return len(self.judgements) - len(self._decided())

    def identical(self) -> int:
        """Trials whose edits are the same picture."""
        return sum(not judgement.replies for judgement in self.judgements)

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        judgements = [
            {**asdict(judgement), "verdict": judgement.verdict, "consistent": judgement.consistent}
            for judgement in self.judgements
        ]
        found = {verdict: asdict(share) for verdict, share in self.shares().items()}
        reliability = {"consistent": asdict(self.consistent()), "chose_the_first": asdict(self.first())}
        counts = {"undecided": self.undecided(), "identical": self.identical()}
        return {**asdict(self), "verdicts": found, **reliability, **counts, "judgements": judgements}

    def _decided(self) -> list[Judgement]:
        return [judgement for judgement in self.judgements if judgement.verdict is not None]


def _most(replies: Sequence[Reply]) -> Verdict | None:
    """What most of the readable replies say; neutral at a tie, None where there is none."""
    counts = Counter(reply.verdict for reply in replies if reply.verdict is not None).most_common(2)
    if len(counts) == 2 and counts[0][1] == counts[1][1]:
        return "neutral"
    return counts[0][0] if counts else None
