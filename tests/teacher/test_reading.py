"""How an answer is read. What is not settings is an error with a reason, and nothing is repaired."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.grade import TOOLS, ToolSettings
from app.prompts.teacher import changed
from app.teacher import TeacherError
from app.teacher.reading import read

tools = st.sampled_from(tuple(TOOLS))


def reason_of(tool: str, text: str, *, cut: bool = False) -> str:
    with pytest.raises(TeacherError) as caught:
        read(tool, text, cut=cut)
    return caught.value.reason


def plain(tool: str, text: str) -> dict[str, object]:
    settings = read(tool, text).settings
    assert settings is not None
    return changed(settings)


@st.composite
def canonical(draw: st.DrawFn) -> tuple[str, ToolSettings | None]:
    tool = draw(tools)
    values = tuple(draw(st.sampled_from(slot.values)) for slot in TOOLS[tool].slots())
    return tool, TOOLS[tool].from_flat(values).canonical()


REASONINGS = st.sampled_from(
    (
        "",
        "TOOL: Yes. Warm and soft, so temperature goes up.\n\n",
        "**TOOL:** Yes. I thought of {contrast: 10} and of [5, 10] first.\n\n",
        "TOOL:\nNo harsh shadows: this tool should not be used for bloom, only for light.\n",
    )
)
LABELS = st.sampled_from(("JSON: ", "JSON:\n", "**JSON:**\n", "### JSON:\n\n", "json:"))
FENCES = st.sampled_from((("", ""), ("```json\n", "\n```"), ("```\n", "\n```\n"), ("", "\n\nEnjoy the look!")))
WRAPPINGS = st.tuples(REASONINGS, LABELS, FENCES).map(lambda parts: (parts[0] + parts[1] + parts[2][0], parts[2][1]))


@given(canonical(), WRAPPINGS, st.booleans(), st.sampled_from((None, 2)))
def test_any_canonical_settings_are_read_back_from_a_chain_of_thought(
    answer: tuple[str, ToolSettings | None], wrapping: tuple[str, str], sparse: bool, indent: int | None
) -> None:
    tool, settings = answer
    data = {} if settings is None else changed(settings) if sparse else settings.model_dump()
    assert read(tool, json.dumps(data, indent=indent).join(wrapping)).settings == settings


WORDS = st.sampled_from(
    [
        *("TOOL:", "JSON:", "No", "not use", " tool ", "no need", "null", ". ", "\n", "```json", "```"),
        *("{", "}", "[", ":", ",", '"', '"exposure"', '"red"', '"name"', "{" * 3000),
        *("-1", "1e9", "0.5", "true", "NaN", "\\ud800", "9" * 5000),
    ]
)


@given(tools, st.one_of(st.text(), st.lists(st.one_of(WORDS, st.text(max_size=3))).map("".join)), st.booleans())
def test_any_text_is_read_or_is_a_teacher_error(tool: str, text: str, cut: bool) -> None:
    try:
        settings = read(tool, text, cut=cut).settings
    except TeacherError:
        return
    assert settings is None or TOOLS[tool].parse(settings.model_dump()).canonical() == settings


@given(canonical(), st.data())
def test_json_that_ends_anywhere_before_its_end_is_truncated(
    answer: tuple[str, ToolSettings | None], data: st.DataObject
) -> None:
    tool, settings = answer
    whole = json.dumps({} if settings is None else settings.model_dump())
    part = whole[: data.draw(st.integers(1, len(whole) - 1))]
    assert reason_of(tool, f"TOOL: Yes.\nJSON: {part}") == "truncated"
    assert reason_of(tool, f"TOOL: Yes.\nJSON:\n```json\n{part}\n```") == "truncated"


def test_the_reasoning_comes_back_without_its_label() -> None:
    assert read("adjust", 'TOOL: Yes. Warmer.\n\nJSON: {"temperature": 30}').reasoning == "Yes. Warmer."
    assert read("adjust", '**TOOL:** Yes. Warmer. JSON: {"temperature": 30}').reasoning == "Yes. Warmer."
    assert read("adjust", 'Yes. Warmer.\n```json\n{"temperature": 30}\n```').reasoning == "Yes. Warmer."


def test_a_missing_parameter_is_zero() -> None:
    settings = read("adjust", 'JSON: {"contrast": 10}').settings
    assert settings is not None
    assert settings.model_dump() == {slot.name: 10 * (slot.name == "contrast") for slot in TOOLS["adjust"].slots()}
    assert plain("selective_adjust", 'JSON: {"red": {"saturation": 5}}') == {"red": {"saturation": 5}}


@pytest.mark.parametrize(
    ("tool", "text"),
    [
        ("adjust", "{}"),
        ("adjust", "TOOL: No. It is fine as it is.\nJSON: {}"),
        ("adjust", 'TOOL: Yes.\nJSON: {"contrast": 0, "hue": 0}'),
        ("filter", '{"name": "winter", "intensity": 0}'),
        ("filter", '{"name": "none", "intensity": 80}'),
        ("filter", '{"intensity": 80}'),
        ("selective_adjust", '{"red": {}, "blue": {"luminance": 0}}'),
    ],
)
def test_settings_that_change_nothing_are_an_unused_tool(tool: str, text: str) -> None:
    assert read(tool, text).settings is None


@pytest.mark.parametrize(
    "text",
    [
        "No.",
        "TOOL: No, a greeting is not a look.",
        "**TOOL:** No. Cropping is not about the look.\n\n**JSON:**",
        "TOOL: The request is a greeting.\nJSON: none",
        "TOOL: The request is a greeting.\nJSON:\n```json\nnull\n```",
        "The filter tool is not needed for this look.",
        "TOOL: This tool should not be used here, the colours are fine.",
        "I would leave everything as it is. This tool isn't necessary.",
        "I don't need to use the tool for that.",
        "There is no need to apply this tool.",
        "TOOL: The request names no look. No filter is needed.",
    ],
)
def test_a_stated_no_without_json_is_an_unused_tool(text: str) -> None:
    assert read("filter", text).settings is None


def test_json_counts_more_than_a_stated_no() -> None:
    assert plain("adjust", 'TOOL: No. The tool is not needed.\nJSON: {"contrast": 10}') == {"contrast": 10}


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n ",
        "TOOL: Yes. I would make it warmer and add some contrast.",
        "TOOL: Yes. Warmer. No filter is needed.\nJSON:",
        "No doubt: warmer, with more contrast.",
        "I would not only use this tool but also a filter.",
        "I am sorry, I cannot help with that.",
        "JSON: contrast 10, temperature 20",
    ],
)
def test_prose_without_json_and_without_a_no_is_invalid(text: str) -> None:
    assert reason_of("adjust", text) == "invalid_json"


@pytest.mark.parametrize(
    "json_text",
    [
        "{'contrast': 10}",
        "{contrast: 10}",
        '{"contrast": 10,}',
        '{"contrast": NaN}',
        '{"contrast": -Infinity}',
        '{"contrast": +10}',
        '{"contrast": 10 "hue": 15}',
        '{"contrast": 10 // a bit\n}',
        '{"contrast": 10}}',
        '[{"contrast": 10}]',
        '{"contrast": 10} {"contrast": 20}',
        '"{\\"contrast\\": 10}"',
        '{"a":' * 3000 + "1" + "}" * 3000,
    ],
)
def test_broken_json_is_not_repaired(json_text: str) -> None:
    assert reason_of("adjust", f"TOOL: Yes.\nJSON: {json_text}\n\nEnjoy.") == "invalid_json"


@pytest.mark.parametrize(
    ("tool", "json_text"),
    [
        ("adjust", '{"contrast": 101}'),
        ("adjust", '{"hue": -15}'),
        ("adjust", '{"bloom": -1}'),
        ("adjust", '{"contrast": 10.5}'),
        ("adjust", '{"contrast": 10.0}'),
        ("adjust", '{"contrast": 1e1}'),
        ("adjust", '{"contrast": true}'),
        ("adjust", '{"contrast": "10"}'),
        ("adjust", '{"contrast": null}'),
        ("adjust", '{"contrast": 1' + "0" * 6000 + "}"),
        ("adjust", '{"grain": 10}'),
        ("adjust", '{"adjust": {"contrast": 10}}'),
        ("adjust", '{"contrast": 10, "contrast": 10}'),
        ("selective_adjust", '{"purple": {"saturation": 10}}'),
        ("selective_adjust", '{"red": 10}'),
        ("selective_adjust", '{"red": {"saturation": -101}}'),
        ("selective_adjust", '{"red": {"saturation": 1}, "red": {"luminance": 1}}'),
        ("filter", '{"name": "Winter", "intensity": 50}'),
        ("filter", '{"name": "sepia", "intensity": 50}'),
        ("filter", '{"name": "winter", "intensity": 101}'),
        ("filter", '{"name": null, "intensity": 50}'),
        ("filter", '{"name": "\\ud800", "intensity": 50}'),
    ],
)
def test_an_unknown_repeated_fractional_boolean_or_out_of_range_value_is_not_repaired(
    tool: str, json_text: str
) -> None:
    assert reason_of(tool, f"TOOL: Yes.\nJSON: {json_text}") == "schema"


def test_an_answer_that_the_server_cut_off_is_truncated_whatever_it_says() -> None:
    assert reason_of("adjust", "TOOL: Yes. I would", cut=True) == "truncated"
    assert reason_of("adjust", "TOOL: No.", cut=True) == "truncated"
    assert reason_of("adjust", 'JSON: {"contrast": 10}', cut=True) == "truncated"
