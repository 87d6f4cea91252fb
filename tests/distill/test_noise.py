"""What people do to an intent: the look they mean stays the same, and text and grade stay in step."""

import random
import re
from collections.abc import Iterator

import pytest

from app.distill.dataset import Example
from app.distill.noise import Noise, noisy, renumber, typo
from app.grade import Grade

NONE = Noise(typo=0, drop_word=0, filler=0, renumber=0)
DROPPING = Noise(typo=0, drop_word=1, filler=0, renumber=0)
FILLING = Noise(typo=0, drop_word=0, filler=1, renumber=0)


def generators(count: int = 100) -> Iterator[random.Random]:
    return (random.Random(seed) for seed in range(count))


def adjust(**parameters: int) -> Grade:
    return Grade.parse({"adjust": parameters})


def numbers(text: str) -> list[int]:
    return [int(found) for found in re.findall(r"[+-]?\d+", text)]


# Numbers


def test_a_number_changes_in_text_and_grade_alike() -> None:
    seen = set()
    for rng in generators():
        text, grade = renumber("contrast +20", adjust(contrast=20), rng)
        [number] = numbers(text)
        assert text == f"contrast +{number}"
        assert grade == adjust(contrast=number)
        seen.add(number)
    assert len(seen) > 40
    assert min(seen) >= 1
    assert max(seen) <= 100


def test_each_number_keeps_its_parameter_and_its_sign() -> None:
    for rng in generators():
        text, grade = renumber("exposure -30 then bloom 15", adjust(exposure=-30, bloom=15), rng)
        exposure, bloom = numbers(text)
        assert text == f"exposure {exposure} then bloom {bloom}"
        assert exposure < 0 < bloom
        assert grade == adjust(exposure=exposure, bloom=bloom)


def test_a_hue_changes_inside_its_range() -> None:
    for rng in generators(20):
        text, grade = renumber("hue 200", adjust(hue=200), rng)
        assert grade == adjust(hue=numbers(text)[0])


@pytest.mark.parametrize(
    ("intent", "grade"),
    [
        ("+2 stops", adjust(exposure=80)),
        ("contrast 20", adjust(contrast=20, saturation=10)),
        ("contrast 20 saturation 20", adjust(contrast=20, saturation=20)),
        ("1917", adjust(contrast=19)),
        ("90s film", adjust(contrast=90)),
        ("16:9", adjust(contrast=16, tint=9)),
        ("contrast 2.5", adjust(contrast=2, tint=5)),
        ("saturation 50%", adjust(saturation=50)),
        ("vivid at 40", Grade.parse({"filter": {"name": "vivid", "intensity": 40}})),
        ("contrast 20", Grade.parse({"adjust": {"contrast": 20}, "filter": {"name": "vivid", "intensity": 40}})),
        ("rotate by 90", Grade()),
    ],
)
def test_what_is_no_plain_instruction_keeps_its_numbers(intent: str, grade: Grade) -> None:
    assert all(renumber(intent, grade, rng) == (intent, grade) for rng in generators(20))


def test_real_intents_keep_their_grade_or_change_it_with_their_text(teacher: list[Example]) -> None:
    changed = 0
    for rng, row in zip(generators(4000), teacher[::5], strict=False):
        text, grade = renumber(row.intent, row.grade, rng)
        assert (text == row.intent) == (grade == row.grade)
        changed += text != row.intent
    assert changed > 10


# Words


@pytest.mark.parametrize("word", ["", "a", "not", "35mm", "+200", "don't", "b&w!", "16:9"])
def test_short_words_and_what_is_no_word_have_no_typos(word: str) -> None:
    assert {typo(word, rng) for rng in generators()} == {word}


def test_a_typo_is_one_slip_of_the_finger_or_the_word_without_its_vowels() -> None:
    slips = {typo("golden", rng) for rng in generators()}
    assert slips >= {"gloden", "glden", "gldn"}
    for slip in slips - {"gldn"}:
        assert slip[0] == "g"
        assert len("golden") - 1 <= len(slip) <= len("golden") + 3
        assert len(set("golden") - set(slip)) <= 1
    assert {typo("GOLDEN", rng)[0] for rng in generators(20)} == {"G"}


def test_what_the_request_hangs_on_is_never_dropped() -> None:
    needed = ["not", "less", "warm", "20", "+20", "no", "more", "without", "but"]
    for word in needed:
        intent = f"make it {word} the look"
        for rng in generators(30):
            text, _ = noisy(intent, adjust(contrast=20), DROPPING, rng)
            assert word in text.split()
            assert text != intent  # something was dropped


def test_one_word_is_dropped_and_the_others_stay_in_order() -> None:
    words = ["the", "colours", "of", "autumn", "in", "Paris"]
    for rng in generators(30):
        text, _ = noisy(" ".join(words), Grade(), DROPPING, rng)
        lacking = [word for word in words if word not in text.split()]
        assert lacking in (["the"], ["of"], ["in"])
        assert text.split() == [word for word in words if word not in lacking]


@pytest.mark.parametrize("intent", ["the matrix", "on fire", "warm dark film"])
def test_nothing_is_dropped_from_two_words_or_from_words_that_all_count(intent: str) -> None:
    assert all(noisy(intent, Grade(), DROPPING, rng)[0] == intent for rng in generators(20))


def test_a_look_gets_a_filler_around_it() -> None:
    texts = {noisy("golden hour", adjust(contrast=10), FILLING, rng)[0] for rng in generators()}
    assert len(texts) > 10
    assert all("golden hour" in text and text != "golden hour" for text in texts)


def test_what_is_no_look_gets_no_filler() -> None:
    """ "make it rotate the clip" would say nothing that anybody says."""
    assert all(noisy("rotate the clip", Grade(), FILLING, rng)[0] == "rotate the clip" for rng in generators(20))


def test_a_sentence_gets_no_filler() -> None:
    intent = "can you make this feel colder"
    assert all(noisy(intent, adjust(temperature=-20), FILLING, rng)[0] == intent for rng in generators(20))


def test_without_noise_nothing_changes(teacher: list[Example]) -> None:
    rng = random.Random(1)
    for row in teacher[::100]:
        assert noisy(row.intent, row.grade, NONE, rng) == (" ".join(row.intent.split()), row.grade)


def test_the_same_seed_makes_the_same_noise(teacher: list[Example]) -> None:
    noise = Noise(typo=0.5, drop_word=0.5, filler=0.5)

    def whole(seed: int) -> list[tuple[str, Grade]]:
        rng = random.Random(seed)
        return [noisy(row.intent, row.grade, noise, rng) for row in teacher[::100]]

    assert whole(1) == whole(1)
    assert whole(1) != whole(2)
