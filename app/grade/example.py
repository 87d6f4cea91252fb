"""The worked example: the look that prompts and documentation show, and its grade."""

from app.grade.grade import Grade

INTENT = "golden hour"
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
