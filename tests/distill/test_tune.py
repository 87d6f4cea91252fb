"""Thresholds: the best for each tool, and among those that score alike the one that sets less."""

from collections.abc import Callable

import pytest

from app.distill.scores import Scores, ToolScore
from app.distill.tune import ALIKE, NONZERO, SHRINK, USED, tune
from app.grade import TOOLS
from app.students.manifest import SlotThresholds

Final = Callable[[str, float, float, float], float]
"""The final score of a tool at thresholds used and nonzero, and at a shrink."""


def tuned(final: Final) -> SlotThresholds:
    """The thresholds chosen where the validation part scores so."""

    def score(trial: SlotThresholds) -> Scores:
        finals = {tool: final(tool, trial.used[tool], trial.nonzero[tool], trial.shrink) for tool in TOOLS}
        tools = {tool: ToolScore(1, 1, 1, value, value) for tool, value in finals.items()}
        return Scores(600, tools, sum(finals.values()) / len(finals), 0)

    return tune(score)


def test_where_everything_scores_alike_the_least_is_set() -> None:
    found = tuned(lambda *_: 0.7)
    assert found.nonzero == dict.fromkeys(TOOLS, max(NONZERO))
    assert found.used == dict.fromkeys(TOOLS, max(USED))
    assert found.shrink == min(SHRINK)


def test_each_tool_has_its_own_best() -> None:
    best = {"adjust": (0.3, 0.35), "selective_adjust": (0.55, 0.3), "filter": (0.4, 0.45)}
    found = tuned(lambda tool, used, nonzero, _: 0.8 if (used, nonzero) == best[tool] else 0.7)
    assert {tool: (found.used[tool], found.nonzero[tool]) for tool in TOOLS} == best


@pytest.mark.parametrize(("gain", "chosen"), [(ALIKE / 2, max(NONZERO)), (2 * ALIKE, min(NONZERO))])
def test_a_sparser_answer_is_worth_a_little_and_no_more(gain: float, chosen: float) -> None:
    found = tuned(lambda tool, used, nonzero, _: 0.7 + gain * (nonzero == min(NONZERO)))
    assert found.nonzero == dict.fromkeys(TOOLS, chosen)


def test_among_the_sparsest_the_better_score_decides() -> None:
    found = tuned(lambda tool, used, nonzero, _: 0.7 + ALIKE / 2 * (used == 0.4))
    assert found.nonzero == dict.fromkeys(TOOLS, max(NONZERO))
    assert found.used == dict.fromkeys(TOOLS, 0.4)


@pytest.mark.parametrize("shrink", SHRINK)
def test_numbers_are_shrunk_as_far_as_it_helps_all_tools_together(shrink: float) -> None:
    def final(tool: str, used: float, nonzero: float, tried: float) -> float:
        helps = tried == shrink
        return 0.7 + (0.02 * helps if tool == "adjust" else -0.005 * helps)

    assert tuned(final).shrink == shrink
