"""The worked example of the documentation: a request and its answer."""

from typing import Any

from app.grade.example import GRADE, INTENT

REQUEST: dict[str, Any] = {"intent": INTENT}

FEEDBACK: dict[str, Any] = {"request_id": "5f2b8c1de0a94c7f9b3f0a6d2c4e8b17", "event": "exported"}

ANSWER: dict[str, Any] = {
    "request_id": FEEDBACK["request_id"],
    "intent": INTENT,
    **GRADE.plain(),
    "sources": dict.fromkeys(GRADE.plain(), "student"),
    "failed": {},
    "cached": False,
    "model": "recolor-mini@1",
    "variant": "control",
    "timings_ms": {"total": 21.4, "generate": 18.9},
}
