"""From the distribution of every slot to answers: inside the grammar, numbers as asked and otherwise on a grid."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from app.grade import TOOLS, Grade
from app.grade.codecs import CompactCodec, DecodeError
from app.grade.codecs.compact import symbol
from app.students import mini
from app.students.manifest import SlotThresholds
from app.students.slot_decoding import GRID, SlotDecoder, on_grid
from app.students.slots import SlotTable
from tests.grade.strategies import grades

CODEC = CompactCodec()
ANSWERS = mini.answer_tokenizer()
TABLE = SlotTable.of(ANSWERS)
TOKENS = ANSWERS.convert_ids_to_tokens(list(range(len(ANSWERS))))
IDS = {token: index for index, token in enumerate(TOKENS)}
ROWS = {
    f"{tool}.{slot.name}": slots.start + offset
    for tool, slots in TABLE.tools.items()
    for offset, slot in enumerate(TOOLS[tool].slots())
}
SLOTS, VOCABULARY = TABLE.allowed.shape
IMPOSSIBLE = -60.0

Chances = dict[str, dict[str, float]]
"""Probabilities of tokens, by the path of a slot."""


def sure_of(grade: Grade, but: Chances | None = None) -> Tensor:
    """The logits [1, S, V] of a network that is sure of a grade, but for some slots."""
    chances: Chances = {path: {"<0>": 1} for path in ROWS}
    for tool, model in TOOLS.items():
        used = grade.settings(tool)
        values = (used or model()).flat()
        own = [path for path in ROWS if path.startswith(f"{tool}.")]
        chances |= {path: {symbol(value): 1} for path, value in zip(own, values, strict=True)}
        if used is None:
            chances[own[0]] = {CompactCodec.unused: 1}
    logits = torch.full((1, SLOTS, VOCABULARY), IMPOSSIBLE)
    for path, tokens in (chances | (but or {})).items():
        for token, chance in tokens.items():
            logits[0, ROWS[path], IDS[token]] = torch.tensor(chance, dtype=torch.float64).log().float()
    return logits


def answers(logits: Tensor, intent: str = "", thresholds: SlotThresholds | None = None) -> dict[str, str]:
    return SlotDecoder(TABLE, TOKENS, thresholds or SlotThresholds()).constrained(logits, [intent])[0]


def decoded(logits: Tensor, intent: str = "", thresholds: SlotThresholds | None = None) -> Grade:
    return Grade.of({tool: CODEC.decode(tool, text) for tool, text in answers(logits, intent, thresholds).items()})


def adjust(**parameters: int) -> Grade:
    return Grade.parse({"adjust": parameters})


def expecting(expected: float) -> dict[str, float]:
    """Chances of the two neighbouring numbers whose mean is the expectation."""
    low = int(expected // 1)
    above = expected - low
    return {f"<{low}>": 1 - above} | ({f"<{low + 1}>": above} if above else {})


# Never outside the grammar

chances = st.floats(0.01, 1)
thresholds = st.builds(
    SlotThresholds,
    used=st.fixed_dictionaries(dict.fromkeys(TOOLS, chances)),
    nonzero=st.fixed_dictionaries(dict.fromkeys(TOOLS, chances)),
    shrink=st.floats(0, 10),
)
intents = st.lists(st.integers(-999, 999).map("{:+d}".format) | st.text(max_size=5), max_size=5).map(" ".join)


@st.composite
def logits(draw: st.DrawFn) -> Tensor:
    """Finite logits [1, S, V] from all alike to enormous, with a token of its own high up in every slot."""
    spread = draw(st.sampled_from([0.0, 1.0, 10.0, 1e4, 3e37]))
    noise = torch.randn(1, SLOTS, VOCABULARY, generator=torch.Generator().manual_seed(draw(st.integers(0, 2**32))))
    tokens = draw(st.lists(st.integers(0, VOCABULARY - 1), min_size=SLOTS, max_size=SLOTS))
    heights = draw(st.lists(st.floats(0, 40), min_size=SLOTS, max_size=SLOTS))
    found = noise * spread
    found[0, range(SLOTS), tokens] += torch.tensor(heights)
    assert found.isfinite().all()
    return found


@settings(max_examples=150)
@given(logits(), thresholds, intents)
def test_constrained_decoding_never_leaves_the_grammar(found: Tensor, chosen: SlotThresholds, intent: str) -> None:
    given_answers = answers(found, intent, chosen)
    assert list(given_answers) == list(TOOLS)
    for tool, text in given_answers.items():
        assert CODEC.grammar(tool).accepts(text), text
        CODEC.decode(tool, text)


@settings(max_examples=60)
@given(logits(), thresholds, intents)
def test_a_used_tool_sets_at_least_one_number(found: Tensor, chosen: SlotThresholds, intent: str) -> None:
    for tool, text in answers(found, intent, chosen).items():
        numbers = [
            value
            for slot, value in zip(TOOLS[tool].slots(), re.findall(r"<.+?>", text), strict=False)
            if not slot.options
        ]
        assert text == CompactCodec.unused or set(numbers) != {"<0>"}


@pytest.mark.parametrize("number", ["contrast <100>", "contrast <-100>", "hue <360>", "bloom <100>"])
def test_a_number_that_is_hardly_set_stays_in_its_range(number: str) -> None:
    """Of a tool that is used, the likeliest number is set however unlikely it is; there, rounding errors are large."""
    name, end = number.split()
    draws = torch.rand(200, 2, generator=torch.Generator().manual_seed(1))
    rows = sure_of(adjust(contrast=1), but={"adjust.contrast": {"<0>": 1}}).repeat(200, 1, 1)
    rows[:, ROWS[f"adjust.{name}"], IDS[end]] = -12 - 8 * draws[:, 0]
    rows += draws[:, 1, None, None]  # which makes no difference but to rounding
    for answer in SlotDecoder(TABLE, TOKENS, SlotThresholds()).constrained(rows, [""] * 200):
        assert CODEC.grammar("adjust").accepts(answer["adjust"]), answer["adjust"]
        assert set(re.findall(r"<.+?>", answer["adjust"])) > {"<0>"}


def test_many_rows_are_decoded_each_with_its_own_intent() -> None:
    found = sure_of(Grade(), but={"adjust.exposure": {"<0>": 1}, "adjust.contrast": expecting(33)})
    rows = SlotDecoder(TABLE, TOKENS, SlotThresholds()).constrained(
        torch.cat([found, sure_of(Grade()), found]), ["contrast +37", "contrast +37", "contrast"]
    )
    assert [CODEC.decode("adjust", row["adjust"]) for row in rows] == [
        adjust(contrast=37).adjust,
        None,
        adjust(contrast=35).adjust,
    ]


# Whether a tool is used and a number set


@given(grades())
def test_a_sure_network_is_taken_at_its_word_up_to_the_grid(grade: Grade) -> None:
    found = decoded(sure_of(grade))
    for tool, model in TOOLS.items():
        wanted, came = grade.settings(tool), found.settings(tool)
        assert (wanted is None) == (came is None)
        for slot, value, given_value in zip(
            model.slots(), (wanted or model()).flat(), (came or model()).flat(), strict=True
        ):
            assert given_value == (on_grid(value) if isinstance(value, int) and value else value), slot.name


@pytest.mark.parametrize(("threshold", "is_used"), [(0.55, True), (0.65, False)])
def test_a_tool_is_used_from_its_threshold_on(threshold: float, is_used: bool) -> None:
    found = sure_of(adjust(exposure=40), but={"adjust.exposure": {CompactCodec.unused: 0.4, "<40>": 0.6}})
    expected = adjust(exposure=40) if is_used else Grade()
    assert decoded(found, thresholds=SlotThresholds(used={"adjust": threshold})) == expected


@pytest.mark.parametrize(("threshold", "value"), [(0.25, 20), (0.35, 0)])
def test_a_number_is_set_from_its_threshold_on(threshold: float, value: int) -> None:
    found = sure_of(adjust(exposure=40), but={"adjust.contrast": {"<0>": 0.7, "<20>": 0.3}})
    chosen = SlotThresholds(nonzero={"adjust": threshold})
    assert decoded(found, thresholds=chosen) == adjust(exposure=40, contrast=value)


def test_a_number_is_the_mean_of_what_it_may_be_given_that_it_is_set() -> None:
    either = {"<0>": 0.2, "<20>": 0.4, "<60>": 0.4}
    assert decoded(sure_of(adjust(exposure=10), but={"adjust.contrast": either})) == adjust(exposure=10, contrast=40)


@pytest.mark.parametrize(("shrink", "value"), [(0, 80), (1, 50), (2, 30)])
def test_doubt_shrinks_a_number_as_far_as_the_manifest_says(shrink: float, value: int) -> None:
    found = sure_of(adjust(exposure=10), but={"adjust.contrast": {"<0>": 0.38, "<80>": 0.62}})
    assert decoded(found, thresholds=SlotThresholds(shrink=shrink)) == adjust(exposure=10, contrast=value)


@pytest.mark.parametrize(("threshold", "is_used"), [(0.34, True), (0.36, False)])
def test_a_preset_is_the_likeliest_and_used_if_it_is_likely_by_this_name(threshold: float, is_used: bool) -> None:
    vivid = Grade.parse({"filter": {"name": "vivid", "intensity": 40}})
    found = sure_of(vivid, but={"filter.name": {CompactCodec.unused: 0.4, "<winter>": 0.25, "<vivid>": 0.35}})
    given = decoded(found, thresholds=SlotThresholds(used={"filter": threshold}))
    assert given == (vivid if is_used else Grade())


# Numbers


@pytest.mark.parametrize(
    ("intent", "expected", "value"),
    [
        # met exactly where the expectation is near
        ("contrast +37", 36.2, 37),
        ("contrast +37", 30, 37),
        ("contrast -37", -33, -37),
        ("contrast 37%", 38, 37),
        ("37", 40, 37),
        ("down by 37", -40, -37),
        ("between 20 and 40", 36, 40),
        ("20 or 25", 22, 20),
        ("20 or 25", 23, 25),
        ("contrast +3", 3, 3),
        ("contrast 100", 92, 100),
        # and on the grid where it is not
        ("contrast +37", 60, 60),
        ("contrast +37", 12, 10),
        ("more contrast", 37, 35),
        # a number that the slot does not have
        ("contrast 120", 98, 100),
        ("contrast -120", -98, -100),
    ],
)
def test_of_several_parameters_those_near_a_number_in_the_request_meet_it(
    intent: str, expected: float, value: int
) -> None:
    found = sure_of(adjust(contrast=1, exposure=10, bloom=70), but={"adjust.contrast": expecting(expected)})
    assert decoded(found, intent) == adjust(contrast=value, exposure=10, bloom=70)


@pytest.mark.parametrize(
    ("intent", "expected", "met"),
    [
        # as many numbers as settings: each has its own, however far
        ("contrast 80, bloom 11", {"contrast": 40, "bloom": 30}, {"contrast": 80, "bloom": 11}),
        ("bloom 11, contrast 80", {"contrast": 40, "bloom": 30}, {"contrast": 80, "bloom": 11}),
        ("contrast -80, bloom 11", {"contrast": -40, "bloom": 30}, {"contrast": -80, "bloom": 11}),
        ("20, 45 and 90", {"contrast": 90, "bloom": 30, "tint": 70}, {"contrast": 90, "bloom": 20, "tint": 45}),
        ("contrast 300, bloom 5", {"contrast": 60, "bloom": 30}, {"contrast": 100, "bloom": 5}),
        # a zero asks for nothing that is set
        ("contrast 80, bloom 0", {"contrast": 40}, {"contrast": 80}),
        # more numbers than settings, or fewer: only what is near
        ("contrast 80, bloom 11", {"contrast": 40}, {"contrast": 40}),
        ("contrast 80", {"contrast": 40, "bloom": 30}, {"contrast": 40, "bloom": 30}),
        # a number is met once
        ("contrast 41", {"contrast": 40, "bloom": 45}, {"contrast": 41, "bloom": 45}),
        # stops are exposure, whatever else is set
        ("exposure -1 stop", {"exposure": -65}, {"exposure": -40}),
        ("half a stop brighter, bloom 11", {"exposure": 65, "bloom": 30}, {"exposure": 20, "bloom": 11}),
        ("3 stops over", {"exposure": 65}, {"exposure": 100}),
        ("one stop more contrast", {"contrast": 65}, {"contrast": 65}),
    ],
)
def test_numbers_and_settings_are_matched(intent: str, expected: dict[str, int], met: dict[str, int]) -> None:
    assert decoded(sure_of(adjust(**expected)), intent) == adjust(**met)


@pytest.mark.parametrize(
    ("intent", "expected", "value"),
    [
        ("contrast +37", 60, 37),
        ("contrast +37", 12, 37),
        ("contrast -37", -80, -37),
        ("contrast down by 37", -80, -37),
        ("contrast 120", 62, 100),
        ("contrast 0", 22, 20),
        # two numbers may mean two things
        ("contrast +37, or +42", 62, 60),
        # numbers of something else
        ("+2 stops", 80, 80),
        ("1 stop brighter", 40, 40),
        ("-3 EV", -98, -100),
        ("90s film", 62, 60),
        ("1917", 62, 60),
        ("1,000 suns", 62, 60),
        ("f/1.4", 62, 60),
        ("1/3 more", 13, 15),
        ("24/7 news", 62, 60),
        ("16:9 crop", 8, 10),
        ("5 pm in June", 22, 20),
        ("35mm", 33, 35),
        ("35 mm", 33, 35),
        ("fujifilm_400h", 38, 40),
        ("4K", 5, 5),
        ("2x more contrast", 62, 60),
        ("3 times as much", 62, 60),
    ],
)
def test_one_number_in_the_request_and_one_parameter_belong_together(intent: str, expected: float, value: int) -> None:
    found = sure_of(adjust(contrast=1), but={"adjust.contrast": expecting(expected)})
    assert decoded(found, intent) == adjust(contrast=value)


@pytest.mark.parametrize(("expected", "value"), [(40, 37), (60, 60)])
def test_an_intensity_meets_a_number_that_is_near(expected: int, value: int) -> None:
    lut = {"name": "vivid", "intensity": expected}
    assert decoded(sure_of(Grade.parse({"filter": lut})), "at 37") == Grade.parse(
        {"filter": lut | {"intensity": value}}
    )


def test_a_hue_may_be_asked_for_beyond_a_hundred() -> None:
    assert decoded(sure_of(adjust(hue=200)), "hue 212") == adjust(hue=212)


@pytest.mark.parametrize(
    ("value", "rounded"), [(0.0, 5), (0.4, 5), (-0.4, -5), (7, 5), (8, 10), (-8, -10), (100, 100), (-99, -100)]
)
def test_the_grid_has_no_zero(value: float, rounded: int) -> None:
    assert GRID == 5
    assert on_grid(value) == rounded


# Free decoding


@given(grades())
def test_free_decoding_writes_what_is_likeliest(grade: Grade) -> None:
    [free] = SlotDecoder(TABLE, TOKENS, SlotThresholds()).free(sure_of(grade))
    assert free == {tool: CODEC.encode(tool, grade.settings(tool)) for tool in TOOLS}


@pytest.mark.parametrize(
    ("path", "token"),
    [
        ("adjust.contrast", "<vivid>"),
        ("adjust.bloom", "<-5>"),
        ("adjust.contrast", CompactCodec.unused),
        ("adjust.exposure", "<pad>"),
        ("filter.name", "<40>"),
        ("filter.intensity", "<?filter.name>"),
    ],
)
def test_free_decoding_may_leave_the_grammar_where_constrained_cannot(path: str, token: str) -> None:
    grade = Grade.parse({"adjust": {"exposure": 10}, "filter": {"name": "vivid", "intensity": 40}})
    tool = path.partition(".")[0]
    found = sure_of(grade)
    found[0, ROWS[path], IDS[token]] = 3.0
    [free] = SlotDecoder(TABLE, TOKENS, SlotThresholds()).free(found)
    with pytest.raises(DecodeError):
        CODEC.decode(tool, free[tool])
    assert decoded(found) == grade
