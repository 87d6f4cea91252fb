"""How an intent is read: emoji by name, typed special tokens as text, and what cannot be read is known to be so."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from app.grade.codecs import CompactCodec
from app.students import mini
from app.students.text import MAX_TOKENS, Reader, readable
from tests.students.tiny import FOREIGN, Tiny, rows


@pytest.fixture(scope="module")
def tokenizer(tiny: Tiny) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast.from_pretrained(tiny.path)


@pytest.fixture(scope="module")
def reader(tokenizer: PreTrainedTokenizerFast) -> Reader:
    return Reader(tokenizer)


# What the student sees


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("🌅 vibes", "sunrise vibes"),
        ("🌅🌊", "sunrise water wave"),
        ("❤️", "red heart"),
        ("❤", "red heart"),
        ("🧑‍🚀", "astronaut"),
        ("👩‍❤️‍👨 film", "couple with heart woman man film"),
        ("🏳️‍🌈", "rainbow flag"),
        ("🇯🇵 street", "Japan street"),
        ("👋🏽", "waving hand medium skin tone"),
        ("👍🏿", "thumbs up dark skin tone"),
        ("1️⃣", "keycap 1"),
        ("warm☀️light", "warm sun light"),
        ("teal_and_orange_1", "teal and orange 1"),
        ("_soft_", "_soft_"),
        ("ｗａｒｍ", "warm"),
        ("①", "1"),
        ("ﬁlm", "film"),
        ("wa\u200brm", "warm"),
        ("  golden \t hour\n", "golden hour"),
        ("\u200b\ufeff", ""),
    ],
)
def test_intents_are_read_as_words(typed: str, read: str) -> None:
    # CLDR names have hyphens and colons; what matters here is the words.
    assert " ".join(readable(typed).replace("-", " ").replace(":", " ").split()) == read


@given(st.text(max_size=60))
def test_reading_twice_changes_nothing_more_than_once(typed: str) -> None:
    assert readable(readable(typed)) == readable(typed)


def test_the_vocabulary_is_what_is_typed_on_a_latin_keyboard(tiny: Tiny, tokenizer: PreTrainedTokenizerFast) -> None:
    vocabulary = tokenizer.get_vocab()
    assert not set(FOREIGN) & set(vocabulary)
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))
    assert set(mini.typed_vocabulary(tiny.encoder)) == set(vocabulary)
    old = json.loads((tiny.encoder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    assert set(FOREIGN) | set(vocabulary) >= {token for token in old if token.isascii()}


def test_the_tokenizer_says_the_same_as_the_reader_where_nothing_is_special(
    tokenizer: PreTrainedTokenizerFast, reader: Reader
) -> None:
    """The post-processor's ids for [CLS] and [SEP] were renumbered with the vocabulary."""
    for row in rows("teacher.jsonl")[::300]:
        text = readable(row["intent"])
        assert reader.read(text).ids == tokenizer(text)["input_ids"]


# The text is data

CONTROL = ["[SEP]", "[CLS]", "[PAD]", "[MASK]", "[UNK]", "</s>", "[/INST]", "<pad>"]


@pytest.mark.parametrize(
    "typed", [*CONTROL, "[sep]", "<unused><10>", "<?adjust.exposure>", "<faded_HighNoon>", "##ing"]
)
def test_a_typed_token_is_plain_text(tokenizer: PreTrainedTokenizerFast, reader: Reader, typed: str) -> None:
    reading = reader.read(f"warm {typed} look")
    inside = set(reading.ids[1:-1])
    control = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    assert reading.ids[0] == tokenizer.cls_token_id
    assert reading.ids[-1] == tokenizer.sep_token_id
    assert not inside & control
    spelt = tokenizer.decode(reading.ids[1:-1]).replace(" ", "").replace("[UNK]", "")
    assert set(typed.lower()) - set("[]<>/#_?.") <= set(spelt)


@given(st.lists(st.sampled_from(CONTROL) | st.text(max_size=10), max_size=8).map("".join))
def test_no_text_becomes_a_control_token(reader: Reader, tokenizer: PreTrainedTokenizerFast, typed: str) -> None:
    ids = reader.read(typed).ids
    control = {tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id, tokenizer.mask_token_id}
    assert not set(ids[1:-1]) & control
    assert len(ids) <= MAX_TOKENS


def test_the_codecs_symbols_are_no_tokens_of_the_reader(tokenizer: PreTrainedTokenizerFast) -> None:
    assert not set(CompactCodec().symbols()) & set(tokenizer.get_vocab())


def test_long_text_is_cut(reader: Reader, tokenizer: PreTrainedTokenizerFast) -> None:
    reading = reader.read("warm " * 5000)
    assert len(reading.ids) == MAX_TOKENS
    assert reading.ids[-1] == tokenizer.sep_token_id
    assert reading.is_known


# What cannot be read


@pytest.mark.parametrize(
    "typed",
    [
        "ゴールデンアワー",
        "さくら",
        "黄金时刻",
        "電影",
        "золотой час",
        "тепло",
        "الغروب",
        "שקיעה",
        "황금 시간",
        "χρυσή ώρα",
        "सुनहरा",
        "золотой warm час",
    ],
)
def test_other_scripts_cannot_be_read(reader: Reader, typed: str) -> None:
    assert not reader.read(typed).is_known


@pytest.mark.parametrize(
    "typed",
    [
        "golden hour",
        "GOLDEN HOUR",
        "café noir",
        "señorita",
        "🌅",
        "😂😂😂",
        "!!!",
        "...",
        "+20 contrast",
        "like 東 but warm and soft",
        "",
        "asdfgh",
    ],
)
def test_latin_letters_digits_and_emoji_can_be_read(reader: Reader, typed: str) -> None:
    assert reader.read(typed).is_known


def test_half_unknown_is_too_much_and_a_third_is_not(reader: Reader) -> None:
    assert not reader.read("warm東").is_known
    assert reader.read("warm dark 東").is_known


# Batches


def test_a_batch_is_padded_to_its_longest_and_masked(reader: Reader, tokenizer: PreTrainedTokenizerFast) -> None:
    readings = [reader.read(intent) for intent in ("warm", "warm and dark and cold", "red light")]
    ids, mask = reader.batch(readings)
    assert mask is not None
    assert ids.shape == mask.shape == (3, max(len(reading.ids) for reading in readings))
    for row, kept, reading in zip(ids, mask, readings, strict=True):
        assert row[kept].tolist() == reading.ids
        assert set(row[~kept].tolist()) <= {tokenizer.pad_token_id}


def test_intents_of_one_length_need_no_mask(reader: Reader) -> None:
    ids, mask = reader.batch([reader.read("warm")] * 2)
    assert mask is None
    assert ids.shape == (2, 3)
