"""Instructions that a program can write and answer itself, because they leave nothing to taste.

Whoever names a number means that number ("contrast +20, tint -5", "half a stop brighter", "vivid at 35%"); whoever
joins two instructions means both ("warmer and a bit darker"); whoever names a number beside a look means the look
with that number. Every epoch draws fresh ones, so that no number is learned by heart.
"""

import random
from collections.abc import Callable, Sequence

from app.distill.dataset import Example
from app.grade import TOOLS, Grade
from app.students.named_numbers import STOP

Asked = tuple[str, dict[str, dict[str, object]]]
"""The text of a request and the settings by tool."""

NAMES = {
    "exposure": ("exposure", "exposure", "expo"),
    "contrast": ("contrast",),
    "brightness": ("brightness",),
    "highlights": ("highlights", "highlights", "highlight"),
    "shadows": ("shadows", "shadows", "shadow"),
    "saturation": ("saturation", "saturation", "sat"),
    "vibrance": ("vibrance",),
    "temperature": ("temperature", "temp", "warmth", "color temperature"),
    "tint": ("tint",),
    "linearOffset": ("linear offset", "linearOffset", "offset"),
    "bloom": ("bloom", "glow"),
    "sharpen": ("sharpen", "sharpness", "sharpening"),
    "structure": ("structure",),
}
SIGNED = (
    "{name} {sign}{number}", "{name} {sign}{number}", "{sign}{number} {name}", "{name}: {sign}{number}",
    "{name} at {minus}{number}", "{name} to {minus}{number}", "set {name} to {minus}{number}",
    "put {name} at {minus}{number}", "{name} {minus}{number}", "{name} = {minus}{number}",
    "{name} {word} {number}", "{word} {number} {name}",
)  # fmt: skip
UP = (
    "raise {name} by {number}", "raise the {name} by {number}", "{number}% more {name}", "{name} up {number}",
    "{number} more {name}", "increase {name} by {number}", "boost {name} {number}", "turn up {name} by {number}",
    "{number} points more {name}", "{name} up by {number} percent", "add {number} {name}",
    "bring the {name} up {number}",
)  # fmt: skip
DOWN = (
    "lower {name} by {number}", "lower the {name} by {number}", "{number}% less {name}", "{name} down {number}",
    "{number} less {name}", "decrease {name} by {number}", "reduce {name} by {number}",
    "turn {name} down by {number}", "{number} points less {name}", "{name} down by {number} percent",
    "take {number} off {name}", "drop the {name} {number}",
)  # fmt: skip
COMPARATIVES = (
    ("warmer", "temperature", 1), ("cooler", "temperature", -1), ("colder", "temperature", -1),
    ("brighter", "brightness", 1), ("more saturated", "saturation", 1), ("less saturated", "saturation", -1),
    ("sharper", "sharpen", 1), ("more vibrant", "vibrance", 1), ("less contrasty", "contrast", -1),
)  # fmt: skip
BY = (
    "{number}% {word}", "{word} by {number}", "{word} by {number} percent", "make it {number} points {word}",
    "{number} {word}",
)  # fmt: skip
STOPS = (
    (15, ("1/3 stop", "a third of a stop", "0.3 stops", "one third stop")),
    (20, ("half a stop", "1/2 stop", "0.5 stop", "0.5 stops", "half stop", ".5 ev", "0.5 ev")),
    (25, ("2/3 stop", "two thirds of a stop", "0.7 stops")),
    (STOP, ("1 stop", "one stop", "a stop", "a full stop", "1 ev", "1.0 stop")),
    (60, ("1.5 stops", "a stop and a half", "one and a half stops", "1 1/2 stops", "1.5 ev")),
    (80, ("2 stops", "two stops", "2 ev", "2.0 stops")),
    (100, ("2.5 stops", "3 stops", "two and a half stops", "three stops", "3 ev")),
)
BRIGHTER = (
    "{stops} brighter", "exposure +{stops}", "exposure up {stops}", "up {stops}", "+{stops}",
    "raise exposure by {stops}", "overexpose by {stops}", "open up {stops}", "push it {stops}",
    "add {stops} of exposure", "brighten by {stops}", "expose {stops} more", "{stops} over",
)  # fmt: skip
DARKER = (
    "{stops} darker", "exposure -{stops}", "exposure down {stops}", "down {stops}", "-{stops}",
    "lower exposure by {stops}", "underexpose by {stops}", "stop down {stops}", "pull it {stops}",
    "take away {stops} of exposure", "darken by {stops}", "expose {stops} less", "{stops} under",
)  # fmt: skip
RANGE = (
    "{colour} {name} {sign}{number}", "{colour}s {name} {sign}{number}", "{name} of {colour} {sign}{number}",
    "{sign}{number} {colour} {name}", "{colour} {name} {minus}{number}", "{colour} {name} {word} {number}",
)  # fmt: skip
RANGE_NAMES = {"saturation": ("saturation", "sat"), "luminance": ("luminance", "lum", "brightness")}
PRESET = (
    "{name} {number}", "{name} at {number}", "{name} filter at {number}%", "{name} filter {number}",
    "{name} preset at {number}", "{name} preset, intensity {number}", "apply {name} at {number} percent",
    "{name} lut, strength {number}", "{number}% {name}", "use {name} with intensity {number}",
)  # fmt: skip
BETWEEN = (" ", ", ", " and ", ", ", " and ", " / ", " then ", "; ")
BESIDE = ("{look} with {asked}", "{look}, {asked}", "{look} and {asked}", "{look} but {asked}", "{asked}, {look}")
JOIN = (" and ", ", ", " but ", " and also ", " then ", ", and ", " + ", " & ", " yet ")
SHORT, SIMPLE = 4, 2
"""Words and parameters up to which an instruction of the data counts as simple enough to be joined to another."""


class Instructions:
    """Draws instructions; `rows` gives the looks and simple instructions that are built upon."""

    def __init__(self, rows: Sequence[Example]) -> None:
        self._looks = [row for row in rows if len(row.intent.split()) <= SHORT and row.grade.adjust is not None]
        self._simple = [row for row in self._looks if _is_simple(row)]
        kinds: list[Callable[[random.Random], Asked | None]] = [
            *[_numbers] * 6,
            *[_comparative] * 2,
            *[_stops] * 3,
            *[_range] * 3,
            *[_preset] * 2,
            *[self._beside] * 2,
            *[self._joined] * 6,
        ]
        self._kinds = kinds

    def draw(self, count: int, rng: random.Random) -> list[Example]:
        examples: list[Example] = []
        while len(examples) < count:
            if (asked := rng.choice(self._kinds)(rng)) is not None:
                text, tools = asked
                examples.append(Example(text, Grade.parse({**dict.fromkeys(TOOLS), **tools})))
        return examples

    def _beside(self, rng: random.Random) -> Asked | None:
        """A look with one number: the number replaces what the look has there."""
        if not self._looks:
            return None
        look = rng.choice(self._looks)
        if any(letter.isdigit() for letter in look.intent):
            return None
        text, tools = _number(rng)
        whole = _plain(look.grade)
        whole["adjust"].update(tools["adjust"])
        return rng.choice(BESIDE).format(look=look.intent, asked=text), whole

    def _joined(self, rng: random.Random) -> Asked | None:
        """Two simple instructions that set different parameters."""
        if len(self._simple) < 2:
            return None
        first, second = rng.sample(self._simple, 2)
        a, b = _plain(first.grade)["adjust"], _plain(second.grade)["adjust"]
        if set(a) & set(b):
            return None
        return first.intent + rng.choice(JOIN) + second.intent, {"adjust": {**a, **b}}


def _is_simple(row: Example) -> bool:
    """A plain instruction: a few words, a few parameters of the global grade, nothing joined already."""
    tools = _plain(row.grade)
    joins = any(word in row.intent for word in (" and ", " but ", ",", "+", "&", " with ", "?"))
    return row.domain == "instruction" and set(tools) == {"adjust"} and len(tools["adjust"]) <= SIMPLE and not joins


def _plain(grade: Grade) -> dict[str, dict[str, object]]:
    """Only what is set, by tool."""
    tools: dict[str, dict[str, object]] = {}
    for tool in TOOLS:
        if (settings := grade.settings(tool)) is not None:
            tools[tool] = {name: value for name, value in settings.model_dump().items() if value}
    return tools


def _value(rng: random.Random, lowest: int, highest: int) -> tuple[int, int]:
    """A number as typed, and the value that is meant: one beyond the range means its end."""
    if rng.random() < 0.03:
        typed = rng.choice((120, 150, 200, 250, 300, 500)) * (rng.choice((1, -1)) if lowest < 0 else 1)
    elif rng.random() < 0.03:
        typed = 0
    else:
        step = rng.choice((1, 1, 5, 10))
        typed = rng.randrange(step, highest + 1, step) * (rng.choice((1, -1)) if lowest < 0 else 1)
    return typed, max(lowest, min(highest, typed))


def _words(typed: int) -> dict[str, str]:
    """The spellings of a number's sign that the templates use."""
    negative = typed < 0
    return {
        "number": str(abs(typed)),
        "sign": "-" if negative else "+" if typed else "",
        "minus": "-" if negative else "",
        "word": "minus" if negative else "plus",
    }


def _parameter(name: str, rng: random.Random) -> Asked:
    slot = next(slot for slot in TOOLS["adjust"].slots() if slot.name == name)
    numbers = [value for value in slot.values if isinstance(value, int)]
    typed, meant = _value(rng, min(numbers), max(numbers))
    templates = SIGNED if rng.random() < 0.6 or not typed else DOWN if typed < 0 else UP
    spelling = rng.choice(NAMES[name])
    text = rng.choice(templates).format(name=spelling, **_words(typed))
    return text, {"adjust": {name: meant}}


def _number(rng: random.Random) -> Asked:
    return _parameter(rng.choice(tuple(NAMES)), rng)


def _numbers(rng: random.Random) -> Asked | None:
    """One to four parameters; now and then the hue, which goes round in degrees."""
    if rng.random() < 0.06:
        degrees = rng.choice((rng.randint(1, 360), rng.randrange(15, 361, 15)))
        form = rng.choice(("hue {}", "rotate the hue by {} degrees", "hue +{}", "shift hue {} degrees", "hue at {}"))
        return form.format(degrees), {"adjust": {"hue": degrees}}
    chosen = rng.sample(tuple(NAMES), rng.choices((1, 2, 3, 4), (5, 4, 3, 2))[0])
    asked = [_parameter(name, rng) for name in chosen]
    settings: dict[str, object] = {}
    for _, tools in asked:
        settings |= tools["adjust"]
    if not any(settings.values()):
        return None
    return rng.choice(BETWEEN).join(text for text, _ in asked), {"adjust": settings}


def _comparative(rng: random.Random) -> Asked:
    word, name, sign = rng.choice(COMPARATIVES)
    number = rng.randint(1, 60)
    return rng.choice(BY).format(word=word, number=number), {"adjust": {name: sign * number}}


def _stops(rng: random.Random) -> Asked:
    units, spellings = rng.choice(STOPS)
    sign = rng.choice((1, -1))
    text = rng.choice(BRIGHTER if sign > 0 else DARKER).format(stops=rng.choice(spellings))
    return text, {"adjust": {"exposure": sign * units}}


def _range(rng: random.Random) -> Asked:
    """One or two numbers of one colour range."""
    ranges = sorted({slot.name.partition(".")[0] for slot in TOOLS["selective_adjust"].slots()})
    colour = rng.choice(ranges)
    texts, settings = [], {}
    for name in rng.sample(tuple(RANGE_NAMES), rng.choices((1, 2), (3, 1))[0]):
        value = rng.randint(1, 100) * rng.choice((1, -1))
        spelling = rng.choice(RANGE_NAMES[name])
        texts.append(rng.choice(RANGE).format(colour=colour, name=spelling, **_words(value)))
        settings[name] = value
    whole = {"saturation": 0, "luminance": 0, **settings}
    return rng.choice(BETWEEN).join(texts), {"selective_adjust": {colour: whole}}


def _preset(rng: random.Random) -> Asked:
    slot = next(slot for slot in TOOLS["filter"].slots() if slot.options)
    name, number = str(rng.choice(slot.options)), rng.randint(1, 100)
    typed = rng.choice((name, name.replace("_", " "), name.replace("_", " ").lower()))
    return rng.choice(PRESET).format(name=typed, number=number), {"filter": {"name": name, "intensity": number}}
