"""Votes that people have sent back: read with care, since the files have been through many hands."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.distill.reality.ballot import Key
from app.distill.reality.errors import RealityError
from app.grade import fold

LARGEST = 1_000_000
"""Bytes of a file of votes at most: one of hundreds of photos has a tenth of that."""


class Vote(BaseModel):
    """One annotator's answers about one photo; None where a question was left open."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: Annotated[str, Field(min_length=1)]
    preference: Literal["a", "b", "neutral"] | None = None
    fits_a: bool | None = None
    fits_b: bool | None = None
    same_look: bool | None = None

    @property
    def is_complete(self) -> bool:
        return None not in (self.preference, self.fits_a, self.fits_b, self.same_look)


class Votes(BaseModel):
    """What one annotator saved."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    poll: str
    annotator: Annotated[str, Field(min_length=1, max_length=60)]
    saved: AwareDatetime
    votes: tuple[Vote, ...]

    @model_validator(mode="after")
    def _name_and_photos(self) -> Self:
        if not fold(self.annotator):
            raise ValueError("the annotator's name has no visible character")
        items = [vote.item for vote in self.votes]
        if twice := next((item for item in items if items.count(item) > 1), None):
            raise ValueError(f"photo {twice!r} has two votes")
        return self


@dataclass(slots=True)
class Returns:
    """What came back: one `Votes` an annotator, by name, and what was odd about the files, in words."""

    votes: list[Votes] = field(default_factory=list)
    oddities: list[str] = field(default_factory=list)


def read_votes(paths: Sequence[Path], key: Key) -> Returns:
    """Every file that can be used. One that is damaged or of another page is named and left out."""
    returns = Returns()
    latest: dict[str, tuple[Votes, Path]] = {}
    for path in paths:
        try:
            found = _read(path, key)
        except RealityError as error:
            returns.oddities.append(f"{path}: {error}; it is left out")
            continue
        name = fold(found.annotator)
        earlier = latest.get(name)
        if earlier is None:
            latest[name] = found, path
            continue
        newer, older = sorted([earlier, (found, path)], key=lambda one: one[0].saved, reverse=True)
        returns.oddities.append(
            f"{older[1]}: a second file of {found.annotator!r}; {newer[1]}, which was saved later, counts"
        )
        latest[name] = newer
    for votes, path in sorted(latest.values(), key=lambda one: fold(one[0].annotator)):
        complete = sum(vote.is_complete for vote in votes.votes)
        if complete < len(key.items):
            returns.oddities.append(f"{path}: {complete} of {len(key.items)} photos are answered in full")
        returns.votes.append(votes)
    return returns


def _read(path: Path, key: Key) -> Votes:
    """Raises RealityError that says what is wrong, without the file's name."""
    try:
        if path.stat().st_size > LARGEST:
            raise RealityError("too large for a file of votes")
        votes = Votes.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RealityError(f"cannot be read ({error.strerror})") from None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, problem["loc"])) or "the file"
        raise RealityError(f"damaged, or no votes ({place}: {problem['msg']})") from None
    if votes.poll != key.poll:
        raise RealityError("of another page")
    known = {item.item for item in key.items}
    if unknown := next((vote.item for vote in votes.votes if vote.item not in known), None):
        raise RealityError(f"damaged (there is no photo {unknown[:20]!r})")
    return votes
