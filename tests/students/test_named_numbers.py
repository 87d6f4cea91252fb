"""Which numbers of a request are on the scale of the parameters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.students.named_numbers import NamedNumber, named_numbers


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("contrast +17", [NamedNumber(17, 1)]),
        ("exposure minus 13", [NamedNumber(13, -1)]),
        ("26% more contrast", [NamedNumber(26)]),
        ("TINT PLUS 5, bloom 33!!!", [NamedNumber(5, 1), NamedNumber(33)]),
        ("saturation +300", [NamedNumber(300, 1)]),
        ("contrast 0", [NamedNumber(0)]),
        # stops, also in words, are forty units each and fall on the grid of five
        ("exposure -1 stop", [NamedNumber(40, -1, True)]),
        ("+2 stops", [NamedNumber(80, 1, True)]),
        ("half a stop brighter", [NamedNumber(20, 0, True)]),
        ("down by 1.5 stops", [NamedNumber(60, 0, True)]),
        ("a third of a stop", [NamedNumber(15, 0, True)]),
        ("2/3 of a stop", [NamedNumber(25, 0, True)]),
        ("a stop and a half darker", [NamedNumber(60, 0, True)]),
        ("one and a half stops over", [NamedNumber(60, 0, True)]),
        (".5 ev, contrast 12", [NamedNumber(20, 0, True), NamedNumber(12)]),
        ("contrast 12, -1 EV", [NamedNumber(12), NamedNumber(40, -1, True)]),
        # neither a stop nor a number of a parameter
        ("stop motion", []),
        ("a bus stop at night", []),
        ("1917", []),
        ("90s film at f/1.4, 35mm", []),
        ("16:9, 5 pm, 4K, 1,000 suns, 1/3 more, 2x", []),
        ("fujifilm_400h", []),
    ],
)
def test_numbers_are_found_in_order(text: str, found: list[NamedNumber]) -> None:
    assert named_numbers(text) == found


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    assert all(number.value >= 0 for number in named_numbers(text))
