import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.grade import TOOLS, Adjust, Filter, Grade, Slot, tool_model
from app.grade.codecs import CODECS, Codec, DecodeError, JsonCodec
from app.grade.tools import Value
from tests.grade.strategies import answers, canonical, edited, grades, settings

JSON, COMPACT, LETTERS = CODECS["json"], CODECS["compact"], CODECS["letters"]
ALPHABET = {
    "json": '{}[]:," -+.0123456789eEtruefalsnNI_',
    "compact": "<>- 0123456789٢unsedo_",
    "letters": "()- 0123456789٢ABTUabtu_",
}

each_codec = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
each_tool = pytest.mark.parametrize("tool", TOOLS)


def is_written(codec: Codec, tool: str, text: str) -> bool:
    """Whether the codec writes this very text for some settings, found without its grammar and its `decode`."""
    model = tool_model(tool)
    try:
        if isinstance(codec, JsonCodec):
            read = model.parse(json.loads(text))
        else:
            words = text[1:-1].split("><") if codec is COMPACT else re.findall(r"\([^()]*\)|.", text, re.DOTALL)
            pairs = zip(model.slots(), words, strict=True)
            read = model.from_flat(tuple(_value(codec, slot, word) for slot, word in pairs))
    except (ValueError, RecursionError):
        return text == codec.encode(tool, None)
    return text in {codec.encode(tool, None), codec.encode(tool, read)}


def _value(codec: Codec, slot: Slot, word: str) -> Value:
    if codec is COMPACT:
        return word if slot.options else int(word)
    if slot.options:
        return slot.options["ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefgh".index(word)]
    if word in "ABCDEFGHIJKLMNOPQRST":
        return 5 * (ord(word) - ord("A") + 1)
    if word in "abcdefghijklmnopqrst":
        return -5 * (ord(word) - ord("a") + 1)
    return int(word.strip("()"))


def reason(codec: Codec, tool: str, text: str) -> str | None:
    """Why the text cannot be read; None where it can."""
    try:
        codec.decode(tool, text)
    except DecodeError as error:
        return error.reason
    return None


@each_codec
@given(grade=grades())
def test_a_canonical_grade_comes_back_from_its_text(codec: Codec, grade: Grade) -> None:
    for tool in TOOLS:
        assert codec.decode(tool, codec.encode(tool, grade.settings(tool))) == grade.settings(tool)


@each_codec
@each_tool
@given(data=st.data())
def test_settings_that_change_nothing_come_back_as_unused(codec: Codec, tool: str, data: st.DataObject) -> None:
    drawn = data.draw(settings(tool))
    assert codec.decode(tool, codec.encode(tool, drawn)) == drawn.canonical()


@each_codec
@each_tool
@given(data=st.data())
def test_the_grammar_accepts_what_is_written_and_none_of_its_beginnings(
    codec: Codec, tool: str, data: st.DataObject
) -> None:
    text = codec.encode(tool, data.draw(canonical(tool)))
    grammar = codec.grammar(tool)
    assert grammar.accepts(text)
    assert "".join(grammar.split(text)) == text
    assert not grammar.accepts(text[: data.draw(st.integers(0, len(text) - 1))])
    assert not grammar.accepts(text + data.draw(st.text(min_size=1, max_size=3)))


@each_codec
@each_tool
@given(data=st.data())
def test_every_walk_through_the_grammar_is_written_for_some_settings(
    codec: Codec, tool: str, data: st.DataObject
) -> None:
    text = data.draw(answers(codec.grammar(tool)))
    assert codec.grammar(tool).accepts(text)
    assert is_written(codec, tool, text)
    assert reason(codec, tool, text) is None


@each_codec
@each_tool
@given(data=st.data())
def test_the_grammar_accepts_a_changed_answer_exactly_if_it_is_written_for_some_settings(
    codec: Codec, tool: str, data: st.DataObject
) -> None:
    text = data.draw(edited(answers(codec.grammar(tool)), ALPHABET[codec.name]))
    assert codec.grammar(tool).accepts(text) == is_written(codec, tool, text)
    if codec.grammar(tool).accepts(text):
        assert reason(codec, tool, text) is None
    else:
        assert codec is JSON or reason(codec, tool, text) is not None


@each_codec
@each_tool
@given(data=st.data())
def test_any_text_is_read_or_refused_for_one_of_the_three_reasons(codec: Codec, tool: str, data: st.DataObject) -> None:
    changed = edited(answers(codec.grammar(tool)), ALPHABET[codec.name])
    text = data.draw(changed | st.text(ALPHABET[codec.name]) | st.text(st.characters(exclude_categories=())))
    assert reason(codec, tool, text) in {None, "invalid_json", "schema", "truncated"}


@each_codec
@each_tool
@given(data=st.data())
def test_the_beginning_of_an_answer_is_truncated(codec: Codec, tool: str, data: st.DataObject) -> None:
    text = data.draw(answers(codec.grammar(tool)))
    for end in range(1, len(text)):
        assert reason(codec, tool, text[:end]) == "truncated", text[:end]


@each_tool
@given(data=st.data())
def test_json_is_read_with_parameters_missing_and_with_white_space(tool: str, data: st.DataObject) -> None:
    drawn = data.draw(settings(tool))
    spaced = json.dumps(drawn.model_dump(exclude_defaults=True), indent=data.draw(st.sampled_from([None, 1, "\t"])))
    assert JSON.decode(tool, f" {spaced}\n") == drawn.canonical()


@given(text=st.text("[]{}:,\"'0123456789.-+eE abtrue\\/nINf", max_size=30))
@example("{}")
@example('{"exposure":1}')
def test_only_json_is_read_as_json(text: str) -> None:
    if reason(JSON, "adjust", text) is None:
        assert isinstance(json.loads(text), dict)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "warmer", "{exposure:5}", "{'exposure':5}", '{"exposure":5}}', '{"exposure":5}{}', "{,}", "}"),
        *('{"exposure":+5}', '{"exposure":05}', '{"exposure":5,}', '{"exposure":0x5}', '```json\n{"exposure":5}\n```'),
        *('{"exposure":NaN}', '{"exposure":Infinity}', '{"exposure":-Infinity}', "NaN", "\ufeff{}", "\ud800"),
        *("[" * 100_000, '{"exposure":' * 100_000, '{"exposure":5} // warmer'),
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_what_is_not_json_is_invalid_json(text: str) -> None:
    assert reason(JSON, "adjust", text) == "invalid_json"


@pytest.mark.parametrize(
    "text",
    [
        *("null", "5", "true", '"warmer"', "[]", "[{}]", '[{"exposure":5}]', '{"adjust":{"exposure":5}}'),
        *('{"exposure":101}', '{"exposure":1e2}', '{"exposure":1.0}', '{"exposure":0.5}', '{"exposure":1e999}'),
        *('{"exposure":"5"}', '{"exposure":true}', '{"exposure":null}', '{"exposure":[]}', '{"Exposure":5}'),
        *('{"exposure":' + "9" * 30 + "}", '{"exposure":-' + "9" * 5000 + "}", '{"hue":-1}', '{"\\ud800":5}'),
        *('{"exposure":5,"exposure":5}', '{"exposure":5,"contrast":5,"exposure":10}', '{"a":{"b":1,"b":1}}'),
    ],
    ids=lambda text: text[:40],
)
def test_json_that_is_no_settings_is_a_schema_failure(text: str) -> None:
    assert reason(JSON, "adjust", text) == "schema"


@pytest.mark.parametrize(
    "text", ["{", '{"', '{"exposure', '{"exposure"', '{"exposure":', '{"exposure":-', '{"exposure":1, ']
)
def test_json_that_breaks_off_is_truncated(text: str) -> None:
    assert reason(JSON, "adjust", text) == "truncated"


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_no_depth_of_json_escapes_as_another_error(opening: str, closing: str) -> None:
    # Somewhere near the interpreter's limit reading still succeeds, and what comes after it does not.
    for depth in range(700, 1100):
        text = '{"exposure":' + opening * depth + "1" + closing * depth + "}"
        assert reason(JSON, "adjust", text) in {"schema", "invalid_json"}


def test_minus_zero_is_zero_in_json() -> None:
    assert JSON.decode("adjust", '{"exposure":-0}') is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "truncated"),
        ("<", "truncated"),
        ("<unused", "truncated"),
        ("<vivid>", "truncated"),
        ("<vivid><4", "truncated"),
        ("<vivid><40><", "schema"),
        ("<vivid><40><0>", "schema"),
        ("<vivid><40> ", "schema"),
        ("<vivid> <40>", "schema"),
        ("<vivid>40", "schema"),
        ("<vivid><<40>>", "schema"),
        ("<40><vivid>", "schema"),
        ("<vivid><101>", "schema"),
        ("<vivid><-0>", "schema"),
        ("<vivid><+5>", "schema"),
        ("<vivid><05>", "schema"),
        ("<vivid><1٢>", "schema"),
        ("<vivid><1_0>", "schema"),
        ("<vivid><" + "9" * 5000 + ">", "schema"),
        ("<Vivid><40>", "schema"),
        ("<vivid><unused>", "schema"),
        ("<unused><0>", "schema"),
        ("<unused><unused>", "schema"),
        ("<unused>\n", "schema"),
        ("unused", "schema"),
        ("{}", "schema"),
    ],
)
def test_what_is_no_row_of_values_is_refused_by_the_compact_codec(text: str, why: str) -> None:
    assert reason(COMPACT, "filter", text) == why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "truncated"),
        ("D", "truncated"),
        ("D(", "truncated"),
        ("D(4", "truncated"),
        ("DH(", "schema"),
        ("DHH", "schema"),
        ("DH ", "schema"),
        ("D H", "schema"),
        ("D40", "schema"),
        ("D(101)", "schema"),
        ("D(40)", "schema"),
        ("D(0)", "schema"),
        ("D(-3)", "schema"),
        ("D(+3)", "schema"),
        ("D(03)", "schema"),
        ("D(1٢)", "schema"),
        ("D((3))", "schema"),
        ("D(" + "9" * 5000 + ")", "schema"),
        ("DU", "schema"),
        ("D-", "schema"),
        ("zH", "schema"),
        ("(3)H", "schema"),
        ("--", "schema"),
        ("-\n", "schema"),
        ("{}", "schema"),
    ],
)
def test_what_is_no_row_of_values_is_refused_by_the_letters_codec(text: str, why: str) -> None:
    assert reason(LETTERS, "filter", text) == why


def test_the_letters_codec_spends_one_character_on_a_multiple_of_five() -> None:
    assert LETTERS.encode("adjust", Adjust(contrast=10, saturation=-100, tint=17, hue=180)) == "0B000t00(17)0(180)000"
    assert LETTERS.encode("filter", Filter(name="lovely_day", intensity=100)) == "BT"
    assert LETTERS.encode("filter", None) == "-"


def test_an_unreadable_answer_names_what_is_wrong() -> None:
    with pytest.raises(DecodeError, match=r"adjust\.exposure: 101 is not allowed, expected a whole number -100\.\.100"):
        JSON.decode("adjust", '{"exposure":101}')
    with pytest.raises(DecodeError, match=r"filter\.intensity: 101 is not allowed, expected a whole number 0\.\.100"):
        COMPACT.decode("filter", "<vivid><101>")
    with pytest.raises(DecodeError, match="adjust: 'exposure' is given twice"):
        JSON.decode("adjust", '{"exposure":5,"exposure":5}')


@each_tool
def test_the_compact_codec_spends_one_symbol_a_value_and_one_on_an_unused_tool(tool: str) -> None:
    grammar = COMPACT.grammar(tool)
    assert len(grammar.choices) == len(tool_model(tool).slots())
    assert list(grammar.split(COMPACT.encode(tool, None))) == [COMPACT.encode(tool, None)]


def test_the_symbols_of_the_compact_codec_are_all_options_of_its_grammars_once() -> None:
    symbols = CODECS["compact"].symbols()
    assert len(symbols) == len(set(symbols))
    assert set(symbols) == {option for tool in TOOLS for choice in COMPACT.grammar(tool).choices for option in choice}
