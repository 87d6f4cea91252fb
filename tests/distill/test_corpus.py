"""What a student is trained on: nothing that folds to an intent by which it is judged."""

import json
from pathlib import Path

import pytest

from app.distill.corpus import Corpus, read_corpus
from app.distill.dataset import DatasetError, read_dataset
from app.grade import Grade, fold
from tests.distill.conftest import DATASETS

HELD_OUT = 600


def write(file: Path, *rows: object) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def row(intent: str, split: str = "train", contrast: int = 10) -> dict[str, object]:
    return {"intent": intent, "split": split, "adjust": {"contrast": contrast}}


def contrast(value: int) -> Grade:
    return Grade.parse({"adjust": {"contrast": value}})


@pytest.fixture(scope="module")
def real() -> Corpus:
    files = {name: DATASETS / f"{name}.jsonl" for name in ("teacher", "alternates", "similar", "additions")}
    teacher, *others = files.values()
    return read_corpus(teacher, HELD_OUT, 1, *others)


def test_the_real_corpus_leaks_nothing(real: Corpus) -> None:
    rows = [json.loads(line) for line in (DATASETS / "teacher.jsonl").read_text(encoding="utf-8").splitlines()]
    judged = {fold(row["intent"]) for row in rows if row["split"] == "test"}
    judged |= {fold(example.intent) for example in real.validation}
    assert len(judged) >= 1000 + HELD_OUT - 10
    behaviours = (DATASETS / "behaviours.jsonl").read_text(encoding="utf-8").splitlines()
    asked = {fold(intent) for line in behaviours for intent in json.loads(line)["intents"]}
    additions = {fold(example.intent) for example in read_dataset(DATASETS / "additions.jsonl")}
    assert not judged & {fold(example.intent) for example in real.train + real.extra}
    assert not asked & additions


def test_the_real_corpus_is_whole(real: Corpus) -> None:
    assert len(real.validation) == HELD_OUT
    assert len(real.train) > 16_000
    assert len(real.extra) > 9000
    assert {example.split for example in real.train + real.validation} == {"train"}


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    trained = [row(f"look {number}", contrast=number) for number in range(1, 9)]
    return write(tmp_path / "teacher.jsonl", *trained, row("Golden  HOUR"), row("golden hour", "test"), row("dawn"))


def test_the_split_is_by_seed(teacher: Path) -> None:
    def held_out(seed: int) -> list[str]:
        return [example.intent for example in read_corpus(teacher, 4, seed).validation]

    assert held_out(1) == held_out(1)
    assert held_out(1) != held_out(2)


def test_rows_that_fold_to_a_test_intent_are_not_trained_on(teacher: Path) -> None:
    for seed in range(10):
        corpus = read_corpus(teacher, 2, seed)
        assert "golden hour" not in {fold(example.intent) for example in corpus.train}
        assert len(corpus.train) in (7, 8)  # the row itself may be among those held out


def test_rows_that_fold_to_a_validation_intent_are_not_trained_on(tmp_path: Path) -> None:
    file = write(tmp_path / "t.jsonl", *(row(intent) for intent in ("dawn", "DAWN", " dawn ", "ｄａｗｎ")))
    assert read_corpus(file, 1, 1).train == []


def test_further_answers_are_to_trained_intents_only(teacher: Path, tmp_path: Path) -> None:
    corpus = read_corpus(teacher, 3, 1)
    every = [f"look {number}" for number in range(1, 9)] + ["dawn"]
    alternates = write(
        tmp_path / "alternates.jsonl", *(row(intent.upper(), contrast=90) for intent in [*every, "golden hour", "new"])
    )
    found = read_corpus(teacher, 3, 1, alternates)
    assert found.train == corpus.train
    assert {fold(example.intent) for example in found.extra} == {example.intent for example in corpus.train}
    assert {example.grade for example in found.extra} == {contrast(90)}


def test_similar_intents_are_of_trained_intents_and_new(teacher: Path, tmp_path: Path) -> None:
    corpus = read_corpus(teacher, 3, 1)
    trained, held_out = corpus.train[0], corpus.validation[0]
    similar = write(
        tmp_path / "similar.jsonl",
        {"intent": trained.intent.upper(), "similar": "sunset"},
        {"intent": held_out.intent, "similar": "of one held out"},
        {"intent": "golden hour", "similar": "of one in the test split"},
        {"intent": "unheard of", "similar": "of one that is not there"},
        {"intent": trained.intent, "similar": "GOLDEN hour"},
        {"intent": trained.intent, "similar": held_out.intent.upper()},
        {"intent": trained.intent, "similar": corpus.train[1].intent},
    )
    [found] = read_corpus(teacher, 3, 1, similar=similar).extra
    assert (found.intent, found.grade) == ("sunset", trained.grade)


@pytest.mark.parametrize("wrong", [{"intent": "dawn"}, {"similar": "dawn"}, {"intent": "dawn", "similar": " "}])
def test_a_similar_intent_that_is_none_is_told_by_line(teacher: Path, tmp_path: Path, wrong: object) -> None:
    similar = write(tmp_path / "similar.jsonl", {"intent": "dawn", "similar": "sunrise"}, wrong)
    with pytest.raises(DatasetError, match=r"similar.jsonl:2: expected 'intent' and 'similar'"):
        read_corpus(teacher, 2, 1, similar=similar)


@pytest.mark.parametrize("validation", [-1, 0, 10, 11])
def test_as_much_as_there_is_cannot_be_held_out(teacher: Path, validation: int) -> None:
    with pytest.raises(DatasetError, match=rf"teacher.jsonl: 10 training rows, from which {validation} cannot be"):
        read_corpus(teacher, validation, 1)
