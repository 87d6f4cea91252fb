import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.grade import fold


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("Golden  HOUR ", "golden hour"),
        ("golden\u00a0hour", "golden hour"),
        ("golden\thour\r\n", "golden hour"),
        ("golden\x00hour", "golden hour"),
        ("ｇｏｌｄｅｎ hour", "golden hour"),
        ("𝐠𝐨𝐥𝐝𝐞𝐧 hour", "golden hour"),
        ("gol\u200bden\u00ad hour\ufeff", "golden hour"),
        ("\u202egolden hour\u202c", "golden hour"),
        ("CAFÉ", "café"),
        ("cafe\u0301", "café"),
        ("golden \ud800hour", "golden hour"),
        ("+20 Contrast, -10% Warmth!", "+20 contrast, -10% warmth!"),
    ],
)
def test_intents_that_mean_the_same_are_written_the_same(typed: str, folded: str) -> None:
    assert fold(typed) == folded


@pytest.mark.parametrize("emoji", ["🌅", "👨\u200d🚀", "❤\ufe0f"])
def test_emoji_stay_whole(emoji: str) -> None:
    assert fold(emoji) == emoji


@pytest.mark.parametrize("nothing", ["", "  ", "\x00\x1b", "\u200b\ufeff", "\ud800"])
def test_nothing_visible_folds_to_nothing(nothing: str) -> None:
    assert fold(nothing) == ""


def test_opposites_stay_apart() -> None:
    assert len({fold(intent) for intent in ("warmer", "less warm", "+10 warm", "-10 warm")}) == 4


@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_folding_twice_changes_nothing_and_never_leaves_what_cannot_be_encoded(intent: str) -> None:
    once = fold(intent)
    assert fold(once) == once
    assert once.encode().decode() == once
