import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.grade import TOOLS, Adjust, Filter, Grade, GradeError, SelectiveAdjust
from app.grade.codecs import CODECS
from tests.grade.strategies import grades, settings

GOLDEN_HOUR = {
    "adjust": {
        "contrast": 10,
        "brightness": 10,
        "highlights": 20,
        "shadows": -10,
        "saturation": 15,
        "vibrance": 15,
        "temperature": 30,
        "tint": 10,
    },
    "selective_adjust": {
        "red": {"saturation": 20, "luminance": 10},
        "orange": {"saturation": 30, "luminance": 20},
        "yellow": {"saturation": 40, "luminance": 30},
        "green": {"saturation": -20},
        "cyan": {"saturation": -20},
    },
    "filter": {"name": "faded_HighNoon", "intensity": 40},
}


def test_golden_hour_has_all_parameters_of_its_three_tools() -> None:
    grade = Grade.parse(GOLDEN_HOUR)
    assert grade.adjust is not None
    assert grade.adjust.flat() == (0, 10, 10, 20, -10, 15, 15, 30, 10, 0, 0, 0, 0, 0)
    assert grade.selective_adjust is not None
    assert grade.selective_adjust.flat() == (20, 10, 30, 20, 40, 30, -20, 0, -20, 0, 0, 0)
    assert grade.filter == Filter(name="faded_HighNoon", intensity=40)
    plain = grade.plain()
    assert plain["adjust"]["exposure"] == 0
    assert plain["selective_adjust"]["blue"] == {"saturation": 0, "luminance": 0}
    assert list(plain) == list(TOOLS)


@pytest.mark.parametrize(
    ("codec", "tool", "text"),
    [
        ("compact", "adjust", "<0><10><10><20><-10><15><15><30><10><0><0><0><0><0>"),
        ("compact", "selective_adjust", "<20><10><30><20><40><30><-20><0><-20><0><0><0>"),
        ("compact", "filter", "<faded_HighNoon><40>"),
        ("json", "filter", '{"name":"faded_HighNoon","intensity":40}'),
        (
            "json",
            "selective_adjust",
            '{"red":{"saturation":20,"luminance":10},"orange":{"saturation":30,"luminance":20},'
            '"yellow":{"saturation":40,"luminance":30},"green":{"saturation":-20,"luminance":0},'
            '"cyan":{"saturation":-20,"luminance":0},"blue":{"saturation":0,"luminance":0}}',
        ),
    ],
)
def test_golden_hour_is_written_as_students_learn_it(codec: str, tool: str, text: str) -> None:
    assert CODECS[codec].encode(tool, Grade.parse(GOLDEN_HOUR).settings(tool)) == text


@given(grade=grades())
def test_a_grade_comes_back_from_its_plain_form(grade: Grade) -> None:
    assert Grade.parse(grade.plain()) == grade


@given(data=st.data())
def test_a_grade_made_of_any_settings_is_canonical(data: st.DataObject) -> None:
    drawn = {tool: data.draw(settings(tool)) for tool in TOOLS}
    grade = Grade.of(drawn)
    for tool, made in drawn.items():
        assert grade.settings(tool) == (made if made.is_used else None)


def test_an_unused_tool_is_null_however_it_was_written() -> None:
    neutral = {"adjust": Adjust().model_dump(), "selective_adjust": {}, "filter": {"name": "none", "intensity": 40}}
    nothing = {"adjust": None, "selective_adjust": None, "filter": None}
    assert Grade.parse(neutral).plain() == nothing
    assert Grade.parse(nothing).plain() == nothing
    assert Grade.parse({}).plain() == nothing
    assert Grade.of({"adjust": Adjust(), "selective_adjust": SelectiveAdjust(), "filter": Filter()}).plain() == nothing


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (None, "grade: None"),
        ([], "grade: []"),
        ("golden hour", "grade: 'golden hour'"),
        ({"curves": None}, "tools: 'curves'"),
        ({5: None}, "tools: 5"),
        ({"adjust": 0}, "adjust: 0"),
        ({"adjust": {"exposure": 101}}, "adjust.exposure: 101"),
        ({"selective_adjust": {"red": {"luminance": -101}}}, "selective_adjust.red.luminance: -101"),
        ({"filter": "vivid"}, "filter: 'vivid'"),
    ],
)
def test_what_is_no_grade_is_refused_by_name(given: object, named: str) -> None:
    with pytest.raises(GradeError) as refused:
        Grade.parse(given)
    assert str(refused.value).startswith(f"{named} is not allowed, expected ")
