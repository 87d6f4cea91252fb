"""What people do to an intent that does not change the look they mean.

Training sees every intent through this noise, so that typing errors, fillers and other numbers are nothing new.
"""

import random
import re
import string
from dataclasses import dataclass

from app.grade import TOOLS, Grade

_FILLERS = (
    "{} look", "{} vibe", "{} vibes", "{} style", "{} mood", "{} please", "{} pls", "{} aesthetic", "{} feel",
    "make it {}", "make this {}", "i want {}", "give me {}", "can you do {}", "{} effect", "{} tones", "a {} look",
    "like {}", "{}!", "{}!!", "{}...", "#{}", "the {} look", "{} kinda look", "something like {}",
)  # fmt: skip
# Words without which a request still asks for the same; "not", "less" or a number is never dropped.
_DISPENSABLE = frozenset(
    ("a", "an", "the", "of", "in", "on", "at", "my", "this", "that", "it", "its", "is", "to", "for", "and", "please")
)
_NEIGHBOURS = {
    letter: near
    for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm")
    for i, letter in enumerate(row)
    for near in [row[max(0, i - 1) : i] + row[i + 1 : i + 2]]
}
_NUMBER = re.compile(r"(?<![\w.])\d{1,3}(?![\w.%]|:\d)")


@dataclass(frozen=True, slots=True)
class Noise:
    """Probabilities, per intent, of each kind of noise."""

    typo: float = 0.16
    drop_word: float = 0.1
    filler: float = 0.12
    renumber: float = 0.6


def noisy(intent: str, grade: Grade, noise: Noise, rng: random.Random) -> tuple[str, Grade]:
    """The intent as somebody else may have typed it, and the grade that it then asks for."""
    if rng.random() < noise.renumber:
        intent, grade = renumber(intent, grade, rng)
    words = intent.split()
    dispensable = [i for i, word in enumerate(words) if word.lower() in _DISPENSABLE]
    if len(words) > 2 and dispensable and rng.random() < noise.drop_word:
        del words[rng.choice(dispensable)]
    if rng.random() < noise.typo:
        index = rng.randrange(len(words))
        words[index] = typo(words[index], rng)
    intent = " ".join(words)
    if grade != Grade() and len(words) <= 4 and rng.random() < noise.filler:
        intent = rng.choice(_FILLERS).format(intent)
    return intent, grade


def typo(word: str, rng: random.Random) -> str:
    """One slip of the finger, or the word without its inner vowels, where it has at least four letters."""
    if len(word) < 4 or not word.isalpha():
        return word
    i = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(6)
    if kind == 0:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if kind == 1:
        return word[:i] + word[i + 1 :]
    if kind == 2:
        return word[:i] + word[i] * rng.randint(2, 4) + word[i + 1 :]
    if kind == 3:
        return word[0] + re.sub("[aeiou]", "", word[1:-1]) + word[-1]
    near = _NEIGHBOURS.get(word[i].lower(), "") or string.ascii_lowercase
    return word[:i] + rng.choice(near) + word[i + (kind == 4) :]


def renumber(intent: str, grade: Grade, rng: random.Random) -> tuple[str, Grade]:
    """Replace the number of an instruction ("contrast +20") in the text and in the grade alike.

    Left alone where the numbers of the text are not exactly the numbers of the grade.
    """
    used = {tool: settings for tool in TOOLS if (settings := grade.settings(tool)) is not None}
    if set(used) != {"adjust"}:
        return intent, grade
    settings = used["adjust"]
    set_values = [abs(value) for value in settings.flat() if isinstance(value, int) and value]
    found = [int(number) for number in _NUMBER.findall(intent)]
    if sorted(found) != sorted(set_values) or len(set(found)) != len(found):
        return intent, grade
    new = dict(zip(found, rng.sample(range(1, 101), len(found)), strict=True))
    values = tuple(
        value if isinstance(value, str) or not value else new[abs(value)] * (1 if value > 0 else -1)
        for value in settings.flat()
    )
    text = _NUMBER.sub(lambda match: str(new[int(match[0])]), intent)
    return text, Grade.of({"adjust": type(settings).from_flat(values)})
