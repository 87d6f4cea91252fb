import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.grade import TOOLS
from app.grade.codecs import CODECS
from app.grade.codecs.regex import alternatives
from tests.grade.strategies import answers, edited

WORDS = st.lists(st.text("ab01-()[]", max_size=4), min_size=1, max_size=12, unique=True)


@given(words=WORDS, other=st.text("ab01-()[]", max_size=5))
def test_alternatives_match_the_words_and_nothing_else(words: list[str], other: str) -> None:
    pattern = re.compile(alternatives(words))
    assert all(map(pattern.fullmatch, words))
    assert bool(pattern.fullmatch(other)) == (other in words)


@pytest.mark.parametrize(
    ("words", "expression"),
    [
        (["red"], "red"),
        (["a", "b", "c", "e", "f"], "[a-cef]"),
        (["-", "0"], r"[\-0]"),
        (["dark", "darkness"], "dark(?:ness)?"),
        (["<1>", "<10>", "<2>", "<20>"], "<[12]0?>"),
        ([""], ""),
    ],
)
def test_what_words_share_is_written_once(words: list[str], expression: str) -> None:
    assert alternatives(words) == expression


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("codec", CODECS)
@given(data=st.data())
def test_a_grammars_expression_matches_what_the_grammar_accepts(codec: str, tool: str, data: st.DataObject) -> None:
    grammar = CODECS[codec].grammar(tool)
    pattern = re.compile(grammar.regex())
    text = data.draw(answers(grammar))
    assert pattern.fullmatch(text)
    changed = data.draw(edited(st.just(text), "0A<-(1)}"))
    assert bool(pattern.fullmatch(changed)) == grammar.accepts(changed)
    assert not pattern.fullmatch(text + " ")


def test_an_expression_is_short_enough_to_be_read_with_every_request() -> None:
    assert max(len(codec.grammar(tool).regex()) for codec in CODECS.values() for tool in TOOLS) < 1200
