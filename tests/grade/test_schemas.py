"""The JSON Schemas that others validate by say exactly what our own validation does."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from app.grade import TOOLS, GradeError, json_schemas, tool_model
from tests.grade.strategies import json_values, settings

# JSON Schema calls 1.0 an integer; we refuse it, as a fraction. It is the only difference.
comparable = json_values.filter(lambda value: not isinstance(value, float) or not value.is_integer())
VALIDATORS = {tool: Draft202012Validator(schema) for tool, schema in json_schemas().items()}


def is_valid(tool: str, given: object) -> bool:
    try:
        tool_model(tool).parse(given)
    except GradeError:
        return False
    return True


def leaves(settings: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The path of every value and of every group."""
    found = []
    for name, value in settings.items():
        found += [(*path, name), *(leaves(value, (*path, name)) if isinstance(value, dict) else [])]
    return found


@st.composite
def near_settings(draw: st.DrawFn, tool: str) -> dict[str, Any]:
    """Valid settings with one place removed, replaced or added to."""
    plain = draw(settings(tool)).model_dump()
    path = draw(st.sampled_from(leaves(plain)))
    group = plain
    for part in path[:-1]:
        group = group[part]
    match draw(st.sampled_from(["remove", "replace", "shift", "add"])):
        case "remove":
            del group[path[-1]]
        case "replace":
            group[path[-1]] = draw(comparable)
        case "shift" if isinstance(group[path[-1]], int):
            group[path[-1]] += draw(st.integers(-400, 400))
        case _:
            group[draw(st.text(max_size=5))] = draw(comparable)
    return plain


@pytest.mark.parametrize("tool", TOOLS)
def test_the_schemas_are_schemas(tool: str) -> None:
    Draft202012Validator.check_schema(json_schemas()[tool])


@pytest.mark.parametrize("tool", TOOLS)
@given(data=st.data())
def test_valid_settings_pass_the_schema(tool: str, data: st.DataObject) -> None:
    assert VALIDATORS[tool].is_valid(data.draw(settings(tool)).model_dump())


@pytest.mark.parametrize("tool", TOOLS)
@given(data=st.data())
def test_what_is_almost_valid_passes_the_schema_exactly_if_it_is_valid(tool: str, data: st.DataObject) -> None:
    near = data.draw(near_settings(tool))
    assert VALIDATORS[tool].is_valid(near) == is_valid(tool, near)


@pytest.mark.parametrize("tool", TOOLS)
@given(anything=comparable)
def test_anything_else_passes_the_schema_exactly_if_it_is_valid(tool: str, anything: object) -> None:
    assert VALIDATORS[tool].is_valid(anything) == is_valid(tool, anything)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_schema_describes_every_parameter_with_its_range(tool: str) -> None:
    schema = json_schemas()[tool]
    for slot in tool_model(tool).slots():
        node = schema
        for part in slot.path:
            node = node["properties"][part]
            if "$ref" in node:
                node = schema["$defs"][node["$ref"].removeprefix("#/$defs/")]
        if slot.options:
            assert node["enum"] == list(slot.options)
        else:
            assert (node["type"], node["minimum"], node["maximum"]) == ("integer", slot.low, slot.high)
