"""Judges for the local OpenAI server: how they answer a call with three pictures."""

import json
from base64 import b64decode
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from tests.teacher.openai_server import Call, Response, Say


def shown(call: Call) -> list[Image.Image]:
    """The pictures of a call, in order, really decoded."""
    parts: list[dict[str, Any]] = call.body["messages"][1]["content"]
    addresses = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    for address in addresses:
        assert address.startswith("data:image/jpeg;base64,")
    return [Image.open(BytesIO(b64decode(address.partition(",")[2], validate=True))) for address in addresses]


def words(call: Call) -> str:
    """The text of a call's question."""
    return " ".join(part["text"] for part in call.body["messages"][1]["content"] if part["type"] == "text")


def warmth(picture: Image.Image) -> float:
    red, _, blue = np.asarray(picture.convert("RGB"), float).mean(axis=(0, 1))
    return float(red - blue)


def verdict(name: str, **more: object) -> Say:
    return Say(json.dumps({"reason": "It is so.", "verdict": name} | more))


@dataclass(frozen=True)
class Warmest:
    """Looks at the pictures, and prefers the warmer edit; neutral where it sees no difference."""

    delay: float = 0.0

    def response(self, call: Call) -> Response:
        original, a, b = shown(call)
        assert original.size == a.size == b.size
        apart = warmth(a) - warmth(b)
        return verdict("neutral" if abs(apart) < 0.5 else "A" if apart > 0 else "B").response(call)


FIRST = verdict("A")
"""Prefers whatever is shown first."""
