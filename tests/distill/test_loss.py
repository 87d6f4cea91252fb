"""What training makes smaller, and that making it smaller leads to the teacher's grade."""

import pytest
import torch
from torch import Tensor

from app.distill.loss import LossWeights, SlotLoss, soft_targets
from app.distill.scores import score
from app.grade import TOOLS, Grade
from app.grade.codecs import CompactCodec
from app.grade.codecs.compact import symbol
from app.students import mini
from app.students.manifest import SlotThresholds
from app.students.slot_decoding import SlotDecoder
from app.students.slots import SlotTable

CODEC = CompactCodec()
ANSWERS = mini.answer_tokenizer()
TABLE = SlotTable.of(ANSWERS)
TOKENS = ANSWERS.convert_ids_to_tokens(list(range(len(ANSWERS))))
IDS = {token: index for index, token in enumerate(TOKENS)}
ZERO = IDS["<0>"]
SLOTS, VOCABULARY = TABLE.allowed.shape
ADJUST, FILTER = TABLE.tools["adjust"], TABLE.tools["filter"]
CONTRAST = ADJUST.start + 1

ALL = Grade.parse(
    {
        "adjust": {"contrast": 20, "temperature": -35, "hue": 212, "bloom": 5},
        "selective_adjust": {"green": {"saturation": -20, "luminance": 10}},
        "filter": {"name": "vivid", "intensity": 40},
    }
)
LUT = Grade.parse({"filter": {"name": "winter", "intensity": 30}})


@pytest.fixture(scope="module")
def soft() -> Tensor:
    return soft_targets(TABLE, ZERO, LossWeights().softness)


@pytest.fixture(scope="module")
def loss() -> SlotLoss:
    return SlotLoss(TABLE, ZERO, LossWeights())


def targets(*grades: Grade) -> tuple[Tensor, Tensor]:
    """Target tokens [B, S] and tool use [B, T], as training has them."""
    values = [[(grade.settings(tool) or model()).flat() for tool, model in TOOLS.items()] for grade in grades]
    tokens = [[IDS[symbol(value)] for tool in row for value in tool] for row in values]
    used = [[grade.settings(tool) is not None for tool in TOOLS] for grade in grades]
    return torch.tensor(tokens), torch.tensor(used)


def sure_of(grade: Grade, height: float = 12.0) -> Tensor:
    """The logits [1, S, V] of a network that is all but sure of a grade."""
    tokens, used = targets(grade)
    found = torch.zeros(1, SLOTS, VOCABULARY)
    found[0, range(SLOTS), tokens[0]] = height
    for slots, is_used in zip(TABLE.tools.values(), used[0], strict=True):
        if not is_used:
            found[0, slots.start] = 0
            found[0, slots.start, TABLE.unused] = height
    return found


# Soft targets


def test_every_target_is_a_distribution(soft: Tensor) -> None:
    assert soft.shape == (SLOTS, VOCABULARY, VOCABULARY)
    assert soft.min() >= 0
    torch.testing.assert_close(soft.sum(-1), torch.ones(SLOTS, VOCABULARY))


def test_a_target_is_inside_what_the_slot_allows(soft: Tensor) -> None:
    for slot in range(SLOTS):
        assert soft[slot][TABLE.allowed[slot]][:, ~TABLE.allowed[slot]].abs().max() == 0


def test_the_true_value_is_the_likeliest_and_the_near_ones_are_nearly_right(soft: Tensor) -> None:
    row = soft[CONTRAST, IDS["<10>"]]
    assert row[IDS["<10>"]] > row[IDS["<15>"]] > row[IDS["<20>"]] > row[IDS["<90>"]] > 0
    assert row[IDS["<5>"]] == pytest.approx(row[IDS["<15>"]].item())


def test_zero_is_nobodys_neighbour(soft: Tensor) -> None:
    others = torch.arange(VOCABULARY) != ZERO
    assert soft[:, others, ZERO].max() == 0
    assert (soft[:, ZERO, ZERO] == 1).all()


def test_the_other_sign_is_no_neighbour(soft: Tensor) -> None:
    assert soft[CONTRAST, IDS["<5>"], IDS["<-5>"]] == 0
    assert soft[CONTRAST, IDS["<-10>"], IDS["<-15>"]] > 0


def test_numbers_off_the_grid_are_exact(soft: Tensor) -> None:
    for token in ("<37>", "<-1>", "<99>"):
        assert soft[CONTRAST, IDS[token], IDS[token]] == 1
    assert soft[CONTRAST, IDS["<35>"], IDS["<37>"]] == 0


def test_names_are_exact(soft: Tensor) -> None:
    assert torch.equal(soft[FILTER.start], torch.eye(VOCABULARY))


def test_without_softness_every_target_is_exact() -> None:
    assert torch.equal(soft_targets(TABLE, ZERO, 0.0), torch.eye(VOCABULARY).repeat(SLOTS, 1, 1))


# The loss


def test_descending_the_loss_leads_to_the_teachers_grades(loss: SlotLoss) -> None:
    wanted = [ALL, LUT, Grade()]
    logits = torch.zeros(3, SLOTS, VOCABULARY, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.3)
    losses = []
    for _ in range(60):
        current = loss(logits, *targets(*wanted))
        optimizer.zero_grad()
        current.backward()
        optimizer.step()
        losses.append(current.item())
    assert losses[::10] == sorted(losses[::10], reverse=True)
    assert losses[-1] < losses[0] / 3
    answers = SlotDecoder(TABLE, TOKENS, SlotThresholds()).constrained(logits.detach(), ["hue 212", "", ""])
    read = [Grade.of({tool: CODEC.decode(tool, text) for tool, text in answer.items()}) for answer in answers]
    found = score(read, wanted)
    assert found.overall > 0.98
    assert found.spurious == 0
    assert read[0].adjust == ALL.adjust
    assert read[1:] == [LUT, Grade()]


@pytest.mark.parametrize(
    ("target", "nearer", "farther"),
    [
        ({"contrast": 20}, {"contrast": 20}, {"contrast": 25}),
        ({"contrast": 20}, {"contrast": 25}, {"contrast": 60}),
        ({"contrast": 20}, {"contrast": 25}, {"contrast": -20}),
        ({"contrast": 20}, {"contrast": 25}, {"tint": 20}),
        ({"contrast": 20}, {"contrast": 20}, {"contrast": 20, "tint": 20}),
        ({"contrast": 20}, {"contrast": 60}, {}),
        ({}, {}, {"contrast": 20}),
    ],
    ids=str,
)
def test_what_is_nearer_costs_less(
    loss: SlotLoss, target: dict[str, int], nearer: dict[str, int], farther: dict[str, int]
) -> None:
    wanted, near, far = (Grade.parse({"adjust": parameters}) for parameters in (target, nearer, farther))
    assert loss(sure_of(near), *targets(wanted)) < loss(sure_of(far), *targets(wanted))


def test_the_wrong_preset_costs_more_than_the_right_one(loss: SlotLoss) -> None:
    right, wrong = (sure_of(Grade.parse({"filter": {"name": name, "intensity": 30}})) for name in ("winter", "vivid"))
    assert loss(right, *targets(LUT)) < loss(wrong, *targets(LUT))


def gradient(loss: SlotLoss, *grades: Grade) -> Tensor:
    logits = torch.randn(len(grades), SLOTS, VOCABULARY, generator=torch.Generator().manual_seed(1)).requires_grad_()
    loss(logits, *targets(*grades)).backward()
    assert logits.grad is not None
    return logits.grad


def test_a_tool_that_is_not_used_teaches_only_that_it_is_not(loss: SlotLoss) -> None:
    found = gradient(loss, LUT, ALL)
    assert found[0, ADJUST.start + 1 : ADJUST.stop].abs().max() == 0
    assert (found[0, FILTER].abs().amax(-1) > 0).all()
    assert (found[1].abs().amax(-1) > 0).all()
    # In the first slot, unused becomes likelier and everything else less so.
    first = found[0, ADJUST.start]
    assert first[TABLE.unused] < 0
    assert (first[torch.arange(VOCABULARY) != TABLE.unused] > 0).all()


def test_a_number_is_judged_given_that_its_tool_is_used() -> None:
    """How likely use is decides nothing about the numbers, the first one included."""
    alone = SlotLoss(TABLE, ZERO, LossWeights(cosine=0))
    logits = torch.randn(1, SLOTS, VOCABULARY, generator=torch.Generator().manual_seed(3))
    doubting = logits.clone()
    doubting[0, ADJUST.start, TABLE.unused] += 5
    used, doubted = (1 - row[0, ADJUST.start].softmax(-1)[TABLE.unused] for row in (logits, doubting))
    difference = alone(doubting, *targets(ALL)) - alone(logits, *targets(ALL))
    torch.testing.assert_close(difference, LossWeights().used * (used.log() - doubted.log()) / len(TOOLS))


def test_being_sure_that_nothing_is_used_costs_nothing_where_nothing_is(loss: SlotLoss) -> None:
    assert loss(sure_of(Grade()), *targets(Grade())) < 0.01


def test_a_batch_that_uses_nothing_has_a_loss(loss: SlotLoss) -> None:
    found = gradient(loss, Grade(), Grade())
    assert found.isfinite().all()
    for slots in TABLE.tools.values():
        assert (found[:, slots.start, TABLE.unused] < 0).all()


def test_the_loss_of_a_batch_is_the_mean_of_its_rows(loss: SlotLoss) -> None:
    logits = torch.randn(3, SLOTS, VOCABULARY, generator=torch.Generator().manual_seed(2))
    grades = [ALL, LUT, Grade()]
    alone = [loss(logits[i : i + 1], *targets(grade)) for i, grade in enumerate(grades)]
    torch.testing.assert_close(loss(logits, *targets(*grades)), torch.stack(alone).mean())
