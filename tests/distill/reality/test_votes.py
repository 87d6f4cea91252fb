"""Files of votes that come back: good ones are counted, and what is odd is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.distill.reality.ballot import Item, Key
from app.distill.reality.tables import tally_tables
from app.distill.reality.tally import POOLED, Tally, tally
from app.distill.reality.votes import Returns, read_votes
from tests.distill.reality.test_report import printed

KEY = Key(
    poll="p1",
    model="tiny@1",
    items=tuple(
        Item(item=name, intent=f"look {name}", domain="light", photo="ramp", a=a, b=b)
        for name, a, b in (("1", "teacher", "student"), ("2", "student", "teacher"), ("3", "teacher", "student"))
    ),
)
FULL = ["1 a yes no no", "2 a yes yes yes", "3 neutral no no yes"]
"""Photo, preference, whether A fits, whether B fits, whether both have one look; - for no answer."""
READ = {"yes": True, "no": False, "-": None}


def votes(lines: list[str] = FULL, annotator: str = "anna", **changes: Any) -> dict[str, Any]:
    rows = [line.split() for line in lines]
    listed = [
        {
            "item": item,
            "preference": None if preference == "-" else preference,
            "fits_a": READ[fits_a],
            "fits_b": READ[fits_b],
            "same_look": READ[same],
        }
        for item, preference, fits_a, fits_b, same in rows
    ]
    return {"poll": "p1", "annotator": annotator, "saved": "2026-01-02T03:04:05.678Z", "votes": listed} | changes


@pytest.fixture
def sent(tmp_path: Path):
    """Writes files of votes, and reads them back."""

    def send(**files: Any) -> Returns:
        paths = []
        for name, data in files.items():
            paths.append(tmp_path / f"votes-{name}.json")
            text = data if isinstance(data, bytes) else json.dumps(data).encode()
            paths[-1].write_bytes(text)
        return read_votes(paths, KEY)

    return send


def counted(returns: Returns) -> Tally:
    return tally(returns.votes, KEY)


def test_votes_are_counted_by_whose_edit_it_was(sent) -> None:
    returns = sent(anna=votes())
    assert returns.oddities == []
    anna, pooled = counted(returns).counts
    assert (anna.annotator, pooled.annotator) == ("anna", POOLED)
    assert {name: share.count for name, share in anna.preference.items()} == {"student": 1, "teacher": 1, "neutral": 1}
    assert (anna.fits["student"].count, anna.fits["teacher"].count) == (1, 2)
    assert (anna.same_look.count, anna.same_look.total) == (2, 3)
    assert pooled.preference == anna.preference


def test_several_annotators_are_counted_apart_and_together(sent) -> None:
    found = counted(sent(b=votes(annotator="ben", lines=["1 b yes yes yes", *FULL[1:]]), a=votes()))
    assert [count.annotator for count in found.counts] == ["anna", "ben", POOLED]
    assert found.counts[-1].preference["student"].count == 1 + 2
    assert found.counts[-1].preference["student"].total == 6
    assert found.agreement["preference"].units == 3
    assert found.agreement["fits"].units == 6
    assert found.agreement["same look"].alpha is not None
    assert found.agreement["preference"].kappa == pytest.approx((2 / 3 - 7 / 18) / (1 - 7 / 18))


def test_open_questions_count_for_nothing_and_are_told(sent) -> None:
    returns = sent(anna=votes(["1 a - yes -", "2 - - - -"]))
    assert returns.oddities == [f"{returns.oddities[0].split(':')[0]}: 0 of 3 photos are answered in full"]
    anna = counted(returns).counts[0]
    assert anna.preference["teacher"].total == 1
    assert (anna.fits["teacher"].total, anna.fits["student"].total, anna.same_look.total) == (0, 1, 0)


def test_one_person_alone_agrees_with_nobody(sent) -> None:
    found = counted(sent(anna=votes()))
    assert found.agreement["preference"].units == 0
    assert found.agreement["preference"].alpha is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "damaged"),
        (b"\xff\xfe no text", "damaged"),
        (b"{" * 5000, "damaged"),
        ({"poll": "p1"}, "annotator: Field required"),
        (votes(poll="p2"), "of another page"),
        (votes(annotator=""), "annotator"),
        (votes(annotator=" \u200b"), "no visible character"),
        (votes(saved="yesterday"), "saved"),
        (votes(["9 a yes yes yes"]), "there is no photo '9'"),
        (votes([FULL[0], FULL[0]]), "photo '1' has two votes"),
        (votes(["1 c yes yes yes"]), "preference"),
        (votes() | {"more": 1}, "more"),
        (b" " * 1_000_001, "too large"),
    ],
)
def test_a_file_that_cannot_be_counted_is_named_and_costs_no_other(sent, data: Any, words: str) -> None:
    returns = sent(anna=votes(), odd=data)
    assert [one.annotator for one in returns.votes] == ["anna"]
    [oddity] = returns.oddities
    assert "votes-odd.json" in oddity
    assert words in oddity
    assert oddity.endswith("left out")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    [oddity] = read_votes([tmp_path / "gone.json"], KEY).oddities
    assert "gone.json: cannot be read (No such file" in oddity


def test_of_two_files_of_one_annotator_the_later_counts(sent) -> None:
    later = votes(["1 b yes yes yes", *FULL[1:]], annotator="Anna ", saved="2026-01-03T00:00:00Z")
    returns = sent(new=later, old=votes())
    assert [one.saved.day for one in returns.votes] == [3]
    [oddity] = returns.oddities
    assert oddity.split(":")[0].endswith("votes-old.json")
    assert "votes-new.json" in oddity


def test_the_table_shows_shares_with_intervals_and_agreement(sent) -> None:
    shown = printed(tally_tables(counted(sent(b=votes(annotator="[b]en[/b]"), a=votes()))))
    assert "1 of 3 (6%-79%)" in shown
    assert "[b]en[/b]" in shown
    assert "2 of 6" in shown
    assert "1.00" in shown


def test_a_table_of_nothing_agreed_says_so(sent) -> None:
    assert "not defined" in printed(tally_tables(counted(sent(anna=votes()))))
