"""Small photos and pairs of grades, made here."""

import numpy as np

from app.distill.reality.pairs import Pair
from app.distill.reality.photos import Photo
from app.distill.reality.trials import Trial, trials
from app.grade import Grade


def warm(temperature: int) -> Grade:
    """A grade that sets nothing but the temperature."""
    return Grade.parse({"adjust": {"temperature": temperature}})


def photo(name: str = "ramp", width: int = 24, height: int = 16) -> Photo:
    """Every pixel another colour, none at the ends of the range."""
    across, down = np.meshgrid(np.linspace(40, 200, width), np.linspace(60, 180, height))
    return Photo(name, np.stack([across, down, (across + down) / 2], axis=-1).astype(np.uint8))


def pair(
    intent: str = "golden hour",
    student: int = 30,
    teacher: int | Grade = 40,
    second: Grade | None = None,
    domain: str = "light",
) -> Pair:
    """A pair whose grades are temperatures, unless the teacher's is given whole."""
    return Pair(intent, domain, teacher if isinstance(teacher, Grade) else warm(teacher), warm(student), second)


def some_trials(count: int = 3, longest: int = 24) -> list[Trial]:
    """Trials of different intents on one photo, the student always a little colder; that of look 0 changes nothing."""
    pairs = [pair(f"look {index}", 6 * index, 6 * index + 20) for index in range(count)]
    return list(trials(pairs, [photo()], longest))
