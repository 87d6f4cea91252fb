"""One round of augmentation: similar intents to the mistaken ones join the training rows, if they may."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.grade import TOOLS, fold

LONGEST = 200
"""Characters of an intent, as the service takes them."""

_SEPARATORS = re.compile(r"[\W_]+")


@dataclass(slots=True)
class Round:
    """`added` are rows of a dataset; `refused` counts, by reason, the similar intents that were not taken."""

    number: int
    mistakes: int
    added: list[dict[str, Any]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


def augment(rows: Sequence[Mapping[str, Any]], mistaken: Sequence[str], similar: Mapping[str, str]) -> Round:
    """Rows to add for the mistaken intents, from answers by folded intent."""
    originals = {fold(row["intent"]): row for row in rows if row.get("split", "train") == "train"}
    tested = {bare(row["intent"]) for row in rows if row.get("split") == "test"}
    known = {fold(row["intent"]) for row in rows}
    number = 1 + max((int(row.get("round", 0)) for row in rows), default=0)
    made = Round(number, len(mistaken))
    for intent in mistaken:
        text = clean(similar.get(fold(intent), ""))
        if reason := _refusal(text, known, tested):
            made.refused[reason] += 1
            continue
        known.add(fold(text))
        answer = {tool: originals[fold(intent)].get(tool) for tool in TOOLS}
        made.added.append({"intent": text, **answer, "split": "train", "similar_to": intent, "round": number})
    return made


def clean(text: str) -> str:
    """Without the quotation marks and white space around it that models like to add."""
    return text.strip().strip("\"'“”").strip()


def bare(intent: str) -> str:
    """Letters and digits alone: "x-ray" and "xray" are one. An intent without any is itself."""
    folded = fold(intent)
    return _SEPARATORS.sub("", folded) or folded


def _refusal(text: str, known: set[str], tested: set[str]) -> str:
    """Why an intent may not join; empty where it may."""
    if not fold(text):
        return "no similar intent"
    if len(text) > LONGEST or "\n" in text:
        return "no intent: several lines, or too long"
    if bare(text) in tested:
        return "a test intent"
    if fold(text) in known:
        return "there already"
    return ""
