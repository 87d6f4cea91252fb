"""The worked example of the documentation: a request and its answer."""

from typing import Any

from app.grade import Grade

REQUEST: dict[str, Any] = {"intent": "golden hour"}

GRADE = Grade.parse(
    {
        "adjust": {
            "contrast": 10,
            "brightness": 10,
            "highlights": 20,
            "shadows": -10,
            "saturation": 15,
            "vibrance": 15,
            "temperature": 30,
            "tint": 10,
        },
        "selective_adjust": {
            "red": {"saturation": 20, "luminance": 10},
            "orange": {"saturation": 30, "luminance": 20},
            "yellow": {"saturation": 40, "luminance": 30},
            "green": {"saturation": -20, "luminance": 0},
            "cyan": {"saturation": -20, "luminance": 0},
        },
        "filter": {"name": "faded_HighNoon", "intensity": 40},
    }
)

ANSWER: dict[str, Any] = {
    "request_id": "5f2b8c1de0a94c7f9b3f0a6d2c4e8b17",
    "intent": "golden hour",
    **GRADE.plain(),
    "sources": dict.fromkeys(GRADE.plain(), "student"),
    "failed": {},
    "cached": False,
    "model": "recolor-mini@1",
    "variant": "control",
    "timings_ms": {"total": 21.4, "generate": 18.9},
}
