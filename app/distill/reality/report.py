"""Everything that a reality check found, as data."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.distill.reality.distances import APART, Measurement, Summary, by_domain, summaries
from app.distill.reality.pairs import Pair
from app.distill.reality.verdicts import Hearing


@dataclass(slots=True)
class Report:
    """`size` is the longer side, in pixels, of the pictures that were measured; `unread` are left out of everything.

    `hearing` is None where no judge was asked.
    """

    model: str
    photos: list[str]
    size: int
    pairs: Sequence[Pair]
    unread: list[str]
    measurements: list[Measurement]
    hearing: Hearing | None = None

    def summaries(self) -> dict[str, Summary]:
        """By what was compared."""
        return summaries(self.measurements)

    def domains(self) -> dict[str, dict[str, Summary]]:
        """`summaries`, domain by domain."""
        return by_domain(self.measurements)

    def intents(self) -> list[tuple[str, str, float]]:
        """Intent, domain and how far teacher and student are apart, over the photos; the furthest first."""
        found: dict[tuple[str, str], list[float]] = {}
        for each in self.measurements:
            if each.between == APART:
                found.setdefault((each.intent, each.domain), []).append(each.apart.mean)
        means = [(intent, domain, sum(apart) / len(apart)) for (intent, domain), apart in found.items()]
        return sorted(means, key=lambda one: one[2], reverse=True)

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "model": self.model,
            "photos": self.photos,
            "longer_side": self.size,
            "unread": self.unread,
            "ciede2000": {between: asdict(summary) for between, summary in self.summaries().items()},
            "domains": {
                domain: {between: asdict(summary) for between, summary in own.items()}
                for domain, own in self.domains().items()
            },
            "grades": [
                {
                    "intent": pair.intent,
                    "domain": pair.domain,
                    "teacher": pair.teacher.plain(),
                    "student": pair.student.plain(),
                    "teacher_again": pair.second and pair.second.plain(),
                }
                for pair in self.pairs
            ],
            "pictures": [asdict(each) for each in self.measurements],
            "judge": self.hearing and self.hearing.plain(),
        }
