"""Which intents are compared, and with which grades."""

from collections import Counter

import pytest

from app.distill.dataset import Example
from app.distill.reality.errors import RealityError
from app.distill.reality.pairs import named, pairs, sampled
from app.grade import TOOLS, Grade
from app.students import Answer
from tests.serving.engines import ScriptedEngine, look

DOMAINS = ("films", "places", "light")
ROWS = [Example(f"look {index}", Grade(), "test", 1, DOMAINS[index % 7 % 3]) for index in range(60)]


def test_domains_take_turns_whatever_their_size() -> None:
    assert Counter(row.domain for row in ROWS).most_common()[0][1] > 20
    assert Counter(row.domain for row in sampled(ROWS, 30, 1)) == dict.fromkeys(DOMAINS, 10)


def test_a_seed_draws_the_same_intents_and_another_seed_others() -> None:
    assert sampled(ROWS, 12, 1) == sampled(ROWS, 12, 1)
    assert {row.intent for row in sampled(ROWS, 12, 1)} != {row.intent for row in sampled(ROWS, 12, 2)}


def test_no_intent_is_drawn_twice_and_no_more_than_there_are() -> None:
    drawn = [row.intent for row in sampled(ROWS, 1000, 3)]
    assert sorted(drawn) == sorted(row.intent for row in ROWS)
    assert sampled([], 3, 1) == []


def test_intents_are_found_by_name_however_they_are_written() -> None:
    assert [row.intent for row in named(ROWS, ["LOOK  7", "look 2", "look 7"])] == ["look 7", "look 2"]


def test_an_intent_that_cannot_be_compared_is_told_with_those_near_it() -> None:
    with pytest.raises(RealityError, match=r"'lok 7' is none of the 60 intents .*'look 7'"):
        named(ROWS, ["lok 7"])


def test_each_pair_has_both_grades_and_the_second_answer_where_there_is_one() -> None:
    rows = ROWS[:3]
    second = Grade.parse({"adjust": {"tint": 5}})
    unread = {("look 1", tool): Answer(None) for tool in TOOLS}
    found, left_out = pairs(ScriptedEngine(unread), rows, [Example("Look 2", second)])
    assert left_out == ["look 1"]
    assert [pair.intent for pair in found] == ["look 0", "look 2"]
    assert found[0].student == Grade.of({tool: look("look 0", tool) for tool in TOOLS})
    assert found[0].teacher == rows[0].grade
    assert [pair.second for pair in found] == [None, second]
