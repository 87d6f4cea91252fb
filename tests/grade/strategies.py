"""Hypothesis strategies over the domain, derived from it: a fourth tool needs nothing here."""

from typing import Any

from hypothesis import strategies as st

from app.grade import TOOLS, Grade, Slot, ToolSettings, tool_model
from app.grade.codecs import Grammar
from app.grade.tools import Value

tools = st.sampled_from(list(TOOLS))


def values(slot: Slot) -> st.SearchStrategy[Value]:
    """Any value that the slot can take."""
    return st.sampled_from(slot.values)


def settings(tool: str) -> st.SearchStrategy[ToolSettings]:
    """Any valid settings of a tool, those that change nothing among them."""
    model = tool_model(tool)
    # Neutral values are drawn often, as they are in real grades.
    row = [st.just(neutral) | values(slot) for slot, neutral in zip(model.slots(), model().flat(), strict=True)]
    return st.tuples(*row).map(model.from_flat)


def canonical(tool: str) -> st.SearchStrategy[ToolSettings | None]:
    """Canonical settings of a tool: None where it is not used."""
    return settings(tool).map(lambda drawn: drawn.canonical())


def grades() -> st.SearchStrategy[Grade]:
    """Whole canonical grades."""
    return st.fixed_dictionaries({tool: canonical(tool) for tool in TOOLS}).map(Grade.of)


def answers(grammar: Grammar) -> st.SearchStrategy[str]:
    """Any text that a walk through the grammar can write."""

    @st.composite
    def walk(draw: st.DrawFn) -> str:
        text = ""
        for choice in grammar.choices:
            option = draw(st.sampled_from(choice))
            text += option
            if option in grammar.final:
                break
        return text

    return walk()


def edited(texts: st.SearchStrategy[str], alphabet: str) -> st.SearchStrategy[str]:
    """A text with a few characters replaced, inserted or removed."""

    @st.composite
    def edit(draw: st.DrawFn) -> str:
        text = draw(texts)
        for _ in range(draw(st.integers(1, 3))):
            at = draw(st.integers(0, len(text)))
            text = text[:at] + draw(st.text(alphabet, max_size=2)) + text[at + draw(st.integers(0, 2)) :]
        return text

    return edit()


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
"""Anything that JSON can say."""
