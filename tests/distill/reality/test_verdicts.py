"""What a judge's replies amount to."""

import json

import pytest

from app.distill.reality.verdicts import Hearing, Judgement, Reply, Verdict


def judgement(teacher_first: list[Verdict | None], student_first: list[Verdict | None]) -> Judgement:
    replies = [Reply("teacher", verdict) for verdict in teacher_first]
    replies += [Reply("student", verdict) for verdict in student_first]
    return Judgement("noir", "cinema", "pagoda", tuple(replies))


@pytest.mark.parametrize(
    ("teacher_first", "student_first", "verdict", "consistent"),
    [
        (["teacher"], ["teacher"], "teacher", True),
        (["student"], ["student"], "student", True),
        (["neutral"], ["neutral"], "neutral", True),
        (["teacher"], ["student"], "neutral", False),
        (["teacher"], ["neutral"], "neutral", False),
        (["teacher", "student", "student"], ["student", "student", "teacher"], "student", True),
        (["teacher", "student"], ["neutral", "neutral"], "neutral", True),
        (["teacher", None, None], ["teacher", None, None], "teacher", True),
        ([None], ["teacher"], None, False),
    ],
)
def test_only_what_both_orders_say_counts(
    teacher_first: list[Verdict | None],
    student_first: list[Verdict | None],
    verdict: Verdict | None,
    consistent: bool,
) -> None:
    found = judgement(teacher_first, student_first)
    assert (found.verdict, found.consistent) == (verdict, consistent)


def test_a_hearing_is_summed_up() -> None:
    hearing = Hearing(
        "judge",
        [
            judgement(["teacher"], ["teacher"]),
            judgement(["student"], ["student"]),
            judgement(["teacher"], ["student"]),
            judgement([None], ["teacher"]),
            judgement([], []),
        ],
    )
    counts = {verdict: (share.count, share.total) for verdict, share in hearing.shares().items()}
    assert counts == {"student": (1, 4), "teacher": (1, 4), "neutral": (2, 4)}
    assert (hearing.consistent().count, hearing.consistent().total) == (2, 3)
    assert (hearing.first().count, hearing.first().total) == (4, 7)
    assert (hearing.undecided(), hearing.identical()) == (1, 1)
    plain = json.loads(json.dumps(hearing.plain()))
    assert plain["verdicts"]["neutral"]["count"] == 2
    assert plain["judgements"][2]["verdict"] == "neutral"
    assert plain["chose_the_first"]["total"] == 7
