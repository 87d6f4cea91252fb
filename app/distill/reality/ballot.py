"""The page on which people vote: one file that needs no server and no network, and says nowhere whose edit is whose.

The key to the sides is a file of its own beside the page, for who reads the votes; the page goes to those who vote.
"""

import hashlib
import json
import random
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.distill.reality.errors import RealityError
from app.distill.reality.trials import Trial, address
from app.distill.reality.verdicts import ORDERS, Side

PICTURE = 800
"""Longer side of the pictures on the page, in pixels."""
KEY = "vote-key.json"


class Item(BaseModel):
    """One photo of the page, and whose edits are called A and B on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: str
    intent: str
    domain: str
    photo: str
    a: Side
    b: Side

    @model_validator(mode="after")
    def _both_sides(self) -> "Item":
        if self.a == self.b:
            raise ValueError("A and B are the same side")
        return self


class Key(BaseModel):
    """The key to a page's sides. `poll` is the page's fingerprint, which every vote carries."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    poll: Annotated[str, Field(min_length=1)]
    model: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Ballot:
    """A page and its key, not written yet."""

    page: str
    key: Key

    @classmethod
    def of(cls, trials: Iterable[Trial], model: str, seed: int) -> "Ballot":
        """In an order, and with sides, that the seed draws."""
        generator = random.Random(seed)
        items: list[Item] = []
        shown: list[dict[str, Any]] = []
        pictures: dict[str, int] = {}
        entries = [_Entry.of(trial) for trial in trials]
        for entry in generator.sample(entries, len(entries)):
            a, b = generator.choice(ORDERS)
            name = str(len(items) + 1)
            items.append(Item(item=name, **entry.about, a=a, b=b))
            places = {"source": entry.source, "a": entry.edits[a], "b": entry.edits[b]}
            numbers = {place: pictures.setdefault(url, len(pictures)) for place, url in places.items()}
            shown.append({"item": name, "intent": entry.about["intent"], **numbers})
        content = {"items": shown, "pictures": list(pictures)}
        poll = hashlib.sha256(json.dumps([content, [item.a for item in items]]).encode()).hexdigest()[:16]
        return cls(_page({"poll": poll, **content}), Key(poll=poll, model=model, items=tuple(items)))

    def write(self, page: Path) -> Path:
        """The page, and the key beside it, whose path is given back.

        Raises RealityError where the key of another page would be written over: its votes could not be read any more.
        """
        file = page.with_name(KEY)
        if file.exists() and read_key(file).poll != self.key.poll:
            raise RealityError(f"{file} is the key of another page; write this page into a folder of its own")
        file.write_text(self.key.model_dump_json(indent=1) + "\n", encoding="utf-8")
        page.write_text(self.page, encoding="utf-8")
        return file


@dataclass(frozen=True, slots=True)
class _Entry:
    """A trial whose pictures are compressed already: many of them take little room."""

    about: dict[str, str]
    source: str
    edits: dict[Side, str]

    @classmethod
    def of(cls, trial: Trial) -> "_Entry":
        about = {"intent": trial.intent, "domain": trial.domain, "photo": trial.photo}
        edits: dict[Side, str] = {"teacher": address(trial.teacher), "student": address(trial.student)}
        return cls(about, address(trial.source), edits)


def read_key(file: Path) -> Key:
    """Raises RealityError."""
    try:
        return Key.model_validate_json(file.read_bytes())
    except OSError:
        raise RealityError(f"{file}: there is no such key; name the {KEY} that was written beside the page") from None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, problem["loc"])) or "the file"
        raise RealityError(f"{file} is no key of a page of votes: {place}: {problem['msg']}") from None


def _page(content: dict[str, Any]) -> str:
    source = files("app.distill.reality") / "page"
    style, script = ((source / name).read_text(encoding="utf-8") for name in ("vote.css", "vote.js"))
    policy = (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )
    # An intent may hold </script>; in JSON a < can be written as a number.
    poll = json.dumps(content).replace("<", r"\u003c")
    frame = Template((source / "vote.html").read_text(encoding="utf-8"))
    return frame.substitute(policy=policy, style=style, script=script, poll=poll)


def _hash(text: str) -> str:
    """What a content security policy names an inline style or script by."""
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()
