"""Instructions that a program writes: the settings are what the words say."""

import random
import re
from collections import Counter

import pytest

from app.distill import instructions
from app.distill.dataset import Example
from app.distill.instructions import Instructions
from app.grade import TOOLS, Grade
from app.students.named_numbers import STOP

DRAWS = 3000
NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")


def example(intent: str, domain: str = "instruction", **adjust: int) -> Example:
    return Example(intent, Grade.parse({"adjust": adjust or None}), domain=domain)


ROWS = [
    example("warmer", temperature=20),
    example("crush the blacks", linearOffset=-25),
    example("more contrast", contrast=25),
    example("1917", domain="cinema", contrast=15, temperature=10),
    example("harbour", domain="places", contrast=10, saturation=5),
]


@pytest.fixture(scope="module")
def drawn() -> list[Example]:
    return Instructions(ROWS).draw(DRAWS, random.Random(1))


def set_values(grade: Grade) -> dict[str, int]:
    """Every number that is set, by tool and parameter."""
    return {
        f"{tool}.{slot.name}": value
        for tool in TOOLS
        if (settings := grade.settings(tool)) is not None
        for slot, value in zip(settings.slots(), settings.flat(), strict=True)
        if isinstance(value, int) and value
    }


def of_numbers(drawn: list[Example]) -> list[Example]:
    """Those that name their values: neither stops nor built upon a look or another instruction."""
    bases = [row.intent for row in ROWS]
    return [
        row
        for row in drawn
        if not re.search(r"stop|\bev\b", row.intent) and not any(base in row.intent for base in bases)
    ]


def test_as_many_are_drawn_as_wanted_and_by_the_seed_alone(drawn: list[Example]) -> None:
    assert len(drawn) == DRAWS
    assert Instructions(ROWS).draw(50, random.Random(1)) == drawn[:50]
    assert Instructions(ROWS).draw(50, random.Random(2)) != drawn[:50]


def test_a_named_number_is_set_or_the_end_of_its_range(drawn: list[Example]) -> None:
    rows = of_numbers(drawn)
    assert len(rows) > DRAWS / 3
    for row in rows:
        typed = [int(number) for number in NUMBER.findall(row.intent.replace("%", " "))]
        ends = [100] if any(number > 100 for number in typed) else []
        assert {abs(value) for value in set_values(row.grade).values()} <= {*typed, *ends}, row.intent


@pytest.mark.parametrize(
    ("form", "sign"),
    [
        (r"(lower|decrease|reduce) (the )?[a-zA-Z ]+ by \d+", -1),
        (r"\d+ less [a-zA-Z ]+", -1),
        (r"[a-zA-Z ]+ minus \d+", -1),
        (r"\d+% cooler", -1),
        (r"(raise|increase) (the )?[a-zA-Z ]+ by \d+", 1),
        (r"\d+ more [a-zA-Z ]+", 1),
        (r"[a-zA-Z ]+ plus \d+", 1),
        (r"\d+% brighter", 1),
    ],
)
def test_the_words_give_the_sign(drawn: list[Example], form: str, sign: int) -> None:
    values = [
        value for row in of_numbers(drawn) if re.fullmatch(form, row.intent) for value in set_values(row.grade).values()
    ]
    assert values
    assert all(value * sign > 0 for value in values)


def test_a_stop_is_forty_units_of_exposure(drawn: list[Example]) -> None:
    rows = [row for row in drawn if re.search(r"(?<![.\d/ ]) ?\b(one|1|full) (stop|ev)\b", row.intent)]
    rows = [row for row in rows if "half" not in row.intent and not any(base.intent in row.intent for base in ROWS)]
    assert rows
    for row in rows:
        assert {name: abs(value) for name, value in set_values(row.grade).items()} == {"adjust.exposure": STOP}


@pytest.mark.parametrize(("word", "sign"), [("brighter", 1), ("darker", -1), ("overexpose", 1), ("underexpose", -1)])
def test_stops_go_where_the_words_say(drawn: list[Example], word: str, sign: int) -> None:
    rows = [row for row in drawn if word in row.intent and re.search(r"stop|\bev\b", row.intent)]
    assert rows
    assert all(set_values(row.grade)["adjust.exposure"] * sign > 0 for row in rows)


def test_two_simple_instructions_are_joined_and_nothing_else_is(drawn: list[Example]) -> None:
    joined = [row for row in drawn if "warmer" in row.intent and "more contrast" in row.intent]
    assert joined
    assert {row.grade for row in joined} == {Grade.parse({"adjust": {"temperature": 20, "contrast": 25}})}
    assert not any(row for row in drawn if "harbour" in row.intent and "crush the blacks" in row.intent)


def test_a_number_beside_a_look_replaces_what_the_look_has_there(drawn: list[Example]) -> None:
    rows = [row for row in drawn if "harbour" in row.intent]
    kept = Counter(set_values(row.grade).get("adjust.contrast") == 10 for row in rows)
    assert kept[True] > kept[False] > 0
    assert all(len(set_values(row.grade)) in (1, 2, 3) for row in rows)


def test_a_look_that_is_a_number_is_not_built_upon(drawn: list[Example]) -> None:
    assert not any("1917" in row.intent for row in drawn)


def test_without_rows_there_are_still_numbers() -> None:
    assert len(Instructions([]).draw(100, random.Random(1))) == 100


def test_every_parameter_has_its_names() -> None:
    named = {slot.name for slot in TOOLS["adjust"].slots()}
    assert instructions.NAMES.keys() | {"hue"} == named
