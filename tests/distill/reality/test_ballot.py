"""The page of votes as a file: complete in itself, and silent about whose edit is whose."""

import json
import re
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.distill.reality.ballot import KEY, Ballot, read_key
from app.distill.reality.errors import RealityError
from app.distill.reality.trials import Trial, trials
from tests.distill.reality.helpers import pair, photo, some_trials

SEED = 3


def content(ballot: Ballot) -> dict[str, Any]:
    """What the page's script is given."""
    [found] = re.findall(r'<script type="application/json" id="poll">(.*?)</script>', ballot.page, re.DOTALL)
    return json.loads(found)


def picture(poll: dict[str, Any], number: int) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(b64decode(poll["pictures"][number].partition(",")[2]))), int)


@pytest.fixture(scope="module")
def shown() -> list[Trial]:
    return some_trials(12)


@pytest.fixture(scope="module")
def ballot(shown: list[Trial]) -> Ballot:
    return Ballot.of(shown, "tiny@1", SEED)


def test_the_key_says_truly_whose_edit_is_where(ballot: Ballot, shown: list[Trial]) -> None:
    poll, by_intent = content(ballot), {trial.intent: trial for trial in shown}
    assert [item["item"] for item in poll["items"]] == [item.item for item in ballot.key.items]
    for item, secret in zip(poll["items"], ballot.key.items, strict=True):
        trial = by_intent[item["intent"]]
        assert secret.intent == trial.intent
        for place, pixels in (
            ("source", trial.source),
            ("a", getattr(trial, secret.a)),
            ("b", getattr(trial, secret.b)),
        ):
            assert np.abs(picture(poll, item[place]) - pixels).mean() < 3


def test_the_page_does_not_say_whose_edit_is_whose(ballot: Ballot) -> None:
    text = re.sub(r"data:image/jpeg;base64,[\w+/=]+", "", ballot.page).lower()
    assert not [word for word in ("teacher", "student", "tiny@1") if word in text]
    assert set(content(ballot)["items"][0]) == {"item", "intent", "source", "a", "b"}


def test_sides_and_order_are_drawn(ballot: Ballot, shown: list[Trial]) -> None:
    assert {item.a for item in ballot.key.items} == {"teacher", "student"}
    assert [item.intent for item in ballot.key.items] != [trial.intent for trial in shown]


def test_a_seed_draws_the_same_page_and_another_seed_another(ballot: Ballot, shown: list[Trial]) -> None:
    assert Ballot.of(shown, "tiny@1", SEED) == ballot
    assert Ballot.of(shown, "tiny@1", SEED + 1).key.poll != ballot.key.poll


def test_a_picture_that_is_shown_twice_is_in_the_page_once(ballot: Ballot) -> None:
    assert len(content(ballot)["pictures"]) == 1 + 2 * 12 - 1, "one source, whose look 0 has an unchanged edit"


def test_an_intent_is_text_and_nothing_else() -> None:
    intent = "</script><script>alert('x')</script> $poll <!-- ${style}"
    page = Ballot.of(trials([pair(intent)], [photo()], 24), "tiny@1", SEED)
    assert "<script>alert" not in page.page
    assert content(page)["items"][0]["intent"] == intent


def test_nothing_is_asked_of_the_network(ballot: Ballot) -> None:
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!data:)(?:https?:)?//""", ballot.page)
    assert "default-src 'none'" in ballot.page


def test_page_and_key_are_written_and_the_key_can_be_read(ballot: Ballot, tmp_path: Path) -> None:
    key = ballot.write(tmp_path / "vote.html")
    assert key == tmp_path / KEY
    assert read_key(key) == ballot.key
    assert (tmp_path / "vote.html").read_text(encoding="utf-8") == ballot.page
    ballot.write(tmp_path / "vote.html")


def test_the_key_of_another_page_is_not_written_over(ballot: Ballot, shown: list[Trial], tmp_path: Path) -> None:
    key = ballot.write(tmp_path / "vote.html")
    before = key.read_bytes()
    with pytest.raises(RealityError, match="the key of another page"):
        Ballot.of(shown[:2], "tiny@1", SEED).write(tmp_path / "other.html")
    assert key.read_bytes() == before
    assert not (tmp_path / "other.html").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"poll": "p", "model": "m", "items": [{"item": "1"}]}', "{" * 9000])
def test_a_damaged_key_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / KEY).write_text(text, encoding="utf-8")
    with pytest.raises(RealityError, match=KEY):
        read_key(tmp_path / KEY)


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RealityError, match="there is no such key"):
        read_key(tmp_path / KEY)


def test_a_key_whose_sides_are_one_is_damaged(ballot: Ballot, tmp_path: Path) -> None:
    data = ballot.key.model_dump()
    data["items"][0]["a"] = data["items"][0]["b"]
    (tmp_path / KEY).write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(RealityError, match="the same side"):
        read_key(tmp_path / KEY)
