from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.grade import PRESETS, TOOLS, Adjust, Filter, GradeError, SelectiveAdjust, Slot, ToolSettings, tool_model
from tests.grade.strategies import json_values, settings, tools

SIGNED, DEGREES, AMOUNT = (-100, 100), (0, 360), (0, 100)
RANGES = {
    "adjust": {
        "exposure": SIGNED,
        "contrast": SIGNED,
        "brightness": SIGNED,
        "highlights": SIGNED,
        "shadows": SIGNED,
        "saturation": SIGNED,
        "vibrance": SIGNED,
        "temperature": SIGNED,
        "tint": SIGNED,
        "linearOffset": SIGNED,
        "hue": DEGREES,
        "bloom": AMOUNT,
        "sharpen": AMOUNT,
        "structure": AMOUNT,
    },
    "selective_adjust": {
        f"{colour}.{parameter}": SIGNED
        for colour in ("red", "orange", "yellow", "green", "cyan", "blue")
        for parameter in ("saturation", "luminance")
    },
    "filter": {"intensity": AMOUNT},
}
NUMBERS = [(tool, slot) for tool, model in TOOLS.items() for slot in model.slots() if not slot.options]


def named(case: object) -> str | None:
    return case.name if isinstance(case, Slot) else None


def nested(slot: Slot, value: object) -> dict[str, Any]:
    """Plain settings with only this slot's value."""
    for part in reversed(slot.path):
        value = {part: value}
    return value  # type: ignore[return-value]


def refusal(tool: str, given: object) -> GradeError:
    with pytest.raises(GradeError) as refused:
        tool_model(tool).parse(given)
    return refused.value


def test_the_tools_have_the_parameters_and_ranges_of_the_editor() -> None:
    numbers = {
        tool: {slot.name: (slot.low, slot.high) for slot in model.slots() if not slot.options}
        for tool, model in TOOLS.items()
    }
    assert numbers == RANGES
    assert [slot.name for _, slot in NUMBERS] == [name for ranges in RANGES.values() for name in ranges]


def test_the_presets_are_those_of_the_editor() -> None:
    assert Filter.slots()[0] == Slot(("name",), options=PRESETS)
    assert list(PRESETS) == [
        *("none", "lovely_day", "action", "vivid", "north", "purple_rain", "winter"),
        *("faded_Retro", "faded_HighNoon", "faded_Mist", "faded_Terra", "faded_Vista", "faded_C1", "faded_AL2"),
        *(f"teal_and_orange_{number}" for number in range(1, 7)),
        *("fortune", "duotone_red", "duotone_pink", "duotone_green", "duotone_yellow", "duotone_orange"),
        *("spring", "enchanted", "ultra", "firecracker", "cyberpunk", "darkness", "night_vision", "negative"),
    ]


def test_a_slot_knows_its_values_and_the_scale_of_its_vector() -> None:
    slots = {slot.name: slot for _, slot in NUMBERS}
    assert (slots["exposure"].scale, slots["hue"].scale, slots["bloom"].scale) == (100, 360, 100)
    assert slots["exposure"].values == tuple(range(-100, 101))
    assert Filter.slots()[0].values == PRESETS


@pytest.mark.parametrize(("tool", "slot"), NUMBERS, ids=named)
def test_both_ends_of_a_range_are_allowed(tool: str, slot: Slot) -> None:
    for value in (slot.low, slot.high):
        flat = tool_model(tool).parse(nested(slot, value)).flat()
        assert flat[tool_model(tool).slots().index(slot)] == value


@given(case=st.sampled_from(NUMBERS), excess=st.integers(1) | st.just(10**5000), above=st.booleans())
def test_a_number_outside_its_range_is_refused_by_tool_parameter_value_and_range(
    case: tuple[str, Slot], excess: int, above: bool
) -> None:
    tool, slot = case
    value = slot.high + excess if above else slot.low - excess
    error = refusal(tool, nested(slot, value))
    assert (error.tool, error.parameter, error.value) == (tool, slot.name, value)
    assert str(error).startswith(f"{tool}.{slot.name}: ")
    assert str(error).endswith(f"expected a whole number {slot.low}..{slot.high}")
    if abs(value) < 10**20:
        assert f" {value} is not allowed" in str(error)


@pytest.mark.parametrize(("tool", "slot"), NUMBERS, ids=named)
@pytest.mark.parametrize("value", [True, False, 1.0, 0.5, float("nan"), float("inf"), "5", "", None, [], {}, b"5"])
def test_what_is_not_a_whole_number_is_refused_and_never_converted(tool: str, slot: Slot, value: object) -> None:
    error = refusal(tool, nested(slot, value))
    assert (error.tool, error.parameter) == (tool, slot.name)
    assert repr(value) in str(error)


@pytest.mark.parametrize(
    "value", ["Vivid", "vivid ", "", "teal_and_orange_7", 3, True, None, ["vivid"], {}, "x" * 9999]
)
def test_an_unknown_preset_is_refused_with_the_list_of_presets(value: object) -> None:
    error = refusal("filter", {"name": value, "intensity": 40})
    assert (error.tool, error.parameter, error.value) == ("filter", "name", value)
    assert error.allowed == "one of " + ", ".join(PRESETS)
    assert len(str(error)) < 1000


@pytest.mark.parametrize(
    ("tool", "given", "group", "known"),
    [
        ("adjust", {"exposur": 5}, "", "exposure, contrast, "),
        ("adjust", {"red": {"saturation": 5}}, "", "exposure, contrast, "),
        ("adjust", {5: 5}, "", "exposure, contrast, "),
        ("selective_adjust", {"magenta": {"saturation": 5}}, "", "red, orange, "),
        ("selective_adjust", {"red": {"hue": 5}}, "red", "saturation, luminance"),
        ("selective_adjust", {"red": {5: 5}}, "red", "saturation, luminance"),
        ("filter", {"preset": "vivid"}, "", "name, intensity"),
    ],
)
def test_an_unknown_name_is_refused_with_the_names_that_are_known(
    tool: str, given: dict[Any, Any], group: str, known: str
) -> None:
    error = refusal(tool, given)
    assert (error.tool, error.parameter) == (tool, group)
    unknown = next(iter(given[group] if group else given))
    assert str(error.value) == str(unknown)
    assert f"expected an object with only {known}" in str(error)


@pytest.mark.parametrize("given", [None, 5, "adjust", [], [("exposure", 5)], True])
@given(tool=tools)
def test_settings_that_are_not_an_object_are_refused(tool: str, given: object) -> None:
    error = refusal(tool, given)
    assert (error.tool, error.parameter, error.value) == (tool, "", given)


@given(tool=tools, given=json_values)
def test_whatever_is_given_is_settings_or_a_grade_error(tool: str, given: object) -> None:
    model = tool_model(tool)
    try:
        read: object = model.parse(given)
    except GradeError as error:
        read = error
    assert isinstance(read, model) or (isinstance(read, GradeError) and read.tool == tool)


def test_a_value_of_any_depth_can_be_named_in_an_error() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert len(str(refusal("adjust", {"exposure": deep}))) < 200


def test_a_tool_that_does_not_exist_is_refused() -> None:
    with pytest.raises(GradeError, match="'curves' is not allowed, expected one of adjust, selective_adjust, filter"):
        tool_model("curves")


@pytest.mark.parametrize("tool", TOOLS)
def test_a_missing_parameter_is_neutral(tool: str) -> None:
    neutral = tool_model(tool).parse({})
    assert neutral == tool_model(tool)()
    assert all(value in {0, "none"} for value in neutral.flat())


@pytest.mark.parametrize(
    "unused",
    [
        Adjust(),
        SelectiveAdjust(),
        Filter(),
        Filter(name="vivid"),
        Filter(intensity=40),
        Filter(name="none", intensity=1),
    ],
)
def test_a_tool_that_changes_nothing_is_unused_and_its_canonical_form_is_none(unused: ToolSettings) -> None:
    assert not unused.is_used
    assert unused.canonical() is None


@pytest.mark.parametrize(("tool", "slot"), [case for case in NUMBERS if case[0] != "filter"], ids=named)
def test_one_number_that_is_not_zero_makes_a_tool_used(tool: str, slot: Slot) -> None:
    for value in {slot.low, 1, slot.high} - {0}:
        used = tool_model(tool).parse(nested(slot, value))
        assert used.is_used
        assert used.canonical() == used


def test_a_preset_with_an_intensity_is_used() -> None:
    assert all(Filter(name=preset, intensity=1).is_used for preset in PRESETS[1:])


@given(data=st.data(), tool=tools)
def test_settings_come_back_from_their_flat_values(data: st.DataObject, tool: str) -> None:
    drawn = data.draw(settings(tool))
    model = tool_model(tool)
    assert model.from_flat(drawn.flat()) == drawn
    assert model.parse(drawn.model_dump()) == drawn
    assert all(value in slot.values for slot, value in zip(model.slots(), drawn.flat(), strict=True))


def test_flat_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(GradeError, match=r"filter\.intensity: 101 is not allowed"):
        Filter.from_flat(("vivid", 101))
    with pytest.raises(ValueError, match="shorter"):
        Filter.from_flat(("vivid",))


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Adjust().exposure = 5  # type: ignore[misc]
