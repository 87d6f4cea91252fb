"""A student's answers: the same alone and in a batch, in the order asked, none where it cannot read."""

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from app.grade import TOOLS
from app.grade.codecs import DecodeError
from app.students import Engine, ModelStoreError, Prompt, load_engine, mini
from app.students.hf import ANSWERS, load_network
from app.students.one_pass import OnePass
from app.students.slots import SlotTable, answer_tokens
from app.students.text import Reader
from tests.students.tiny import Tiny, rows

INTENTS = [row["intent"] for row in rows("teacher.jsonl")[::180]]


@pytest.fixture(scope="module", params=["constrained", "free"])
def engine(request: pytest.FixtureRequest, loud: Tiny) -> Engine:
    return load_engine(loud.settings(decoding=request.param))


def prompts(intents: list[str]) -> list[Prompt]:
    return [Prompt(intent, tool) for intent in intents for tool in TOOLS]


def test_an_intent_gets_the_same_answer_alone_and_in_any_batch(engine: Engine) -> None:
    alone = [answer for intent in INTENTS for answer in engine.generate(prompts([intent]))]
    assert len(INTENTS) > 100
    assert len(set(alone)) > 100  # or else equal answers would show nothing
    assert engine.generate(prompts(INTENTS)) == alone
    backwards = engine.generate(prompts(INTENTS)[::-1])
    assert backwards[::-1] == alone
    beside_a_long_one = engine.generate(prompts([INTENTS[0], "warm " * 90]))
    assert beside_a_long_one[: len(TOOLS)] == alone[: len(TOOLS)]


def test_prompts_may_come_in_any_order_and_twice(engine: Engine) -> None:
    first, second = "golden hour", "less warm"
    asked = [Prompt(first, "filter"), Prompt(second, "adjust"), Prompt(first, "adjust"), Prompt(first, "filter")]
    answers = engine.generate(asked)
    singly = [engine.generate([prompt])[0] for prompt in asked]
    assert answers == singly
    assert answers[1] != answers[2]


def test_no_prompts_get_no_answers(engine: Engine) -> None:
    assert engine.generate([]) == []


def test_what_cannot_be_read_is_not_answered_and_costs_the_others_nothing(engine: Engine) -> None:
    answers = engine.generate(prompts(["тепло", "warm", "さくら"]))
    texts = [answer.text for answer in answers]
    assert texts[:3] == texts[6:] == [None, None, None]
    assert [answer.tokens for answer in answers[:3]] == [0, 0, 0]
    assert answers[3:6] == engine.generate(prompts(["warm"]))
    assert [answer.text for answer in engine.generate(prompts(["тепло"]))] == [None] * 3


@pytest.mark.parametrize(
    "typed", ["", "[SEP]", "</s>[/INST]{", "<unused><10>", "🌅" * 200, "a" * 10_000, "\x00\x1b[2J"]
)
def test_any_text_is_answered(engine: Engine, typed: str) -> None:
    for answer in engine.generate(prompts([typed])):
        if engine.decoding == "constrained" and answer.text is not None:
            assert any(engine.codec.grammar(tool).accepts(answer.text) for tool in TOOLS)


def test_tokens_are_counted_one_a_symbol(engine: Engine) -> None:
    for answer in engine.generate(prompts(INTENTS[:10])):
        assert answer.text is not None
        assert answer.tokens == len(answer.text.split("><"))


def test_constrained_answers_always_decode(loud: Tiny) -> None:
    engine = load_engine(loud.settings())
    assert engine.decoding == "constrained"
    for prompt, answer in zip(prompts(INTENTS), engine.generate(prompts(INTENTS)), strict=True):
        assert answer.text is not None
        assert engine.codec.grammar(prompt.tool).accepts(answer.text)
        engine.codec.decode(prompt.tool, answer.text)


def test_an_early_checkpoint_fails_on_one_tool_when_it_decodes_freely(tiny: Tiny) -> None:
    engine = load_engine(tiny.settings(decoding="free"))
    failed = set()
    for prompt, answer in zip(prompts(INTENTS), engine.generate(prompts(INTENTS)), strict=True):
        assert answer.text is not None
        try:
            engine.codec.decode(prompt.tool, answer.text)
        except DecodeError as error:
            failed.add((prompt.tool, error.reason))
    assert failed == {("filter", "schema")}


# The network


def test_every_slot_sees_every_other_and_the_whole_intent(loud: Tiny) -> None:
    """A decoder left causal would show slots only what stands before them."""
    network = load_network(loud.path, loud.stored.manifest)
    reader = Reader(PreTrainedTokenizerFast.from_pretrained(loud.path))
    table = SlotTable.of(PreTrainedTokenizerFast.from_pretrained(loud.path / ANSWERS))
    ids, mask = reader.batch([reader.read("warm and dark")])
    with torch.inference_mode():
        before = OnePass(network, table)(ids, mask)
        table.queries[-1] = table.queries[0]
        after_last_query = OnePass(network, table)(ids, mask)
        ids[0, -2] = ids[0, 1]
        after_last_word = OnePass(network, table)(ids, mask)
    assert before.shape == (
        1,
        sum(len(model.slots()) for model in TOOLS.values()),
        len(answer_tokens(mini.CompactCodec())),
    )
    assert (before - after_last_query)[0, 0].abs().max() > 1e-4
    assert (after_last_query - after_last_word)[0, 0].abs().max() > 1e-4


def test_padding_is_not_seen(loud: Tiny) -> None:
    network = load_network(loud.path, loud.stored.manifest)
    reader = Reader(PreTrainedTokenizerFast.from_pretrained(loud.path))
    table = SlotTable.of(PreTrainedTokenizerFast.from_pretrained(loud.path / ANSWERS))
    short, long = reader.read("warm"), reader.read("warm and dark and cold and soft and red")
    with torch.inference_mode():
        alone = OnePass(network, table)(*reader.batch([short]))
        padded = OnePass(network, table)(*reader.batch([short, long]))
    torch.testing.assert_close(padded[:1], alone, atol=1e-3, rtol=1e-4)


def test_the_decoder_starts_from_the_words_of_each_slot(tiny: Tiny) -> None:
    network = mini.build(tiny.encoder, layers=1, feed_forward=64)
    reader = mini.intent_tokenizer(tiny.encoder)
    words = network.encoder.embeddings.word_embeddings.weight
    index = answer_tokens(mini.CompactCodec()).index("<?selective_adjust.red.saturation>")
    spelt = reader("selective adjust red saturation", add_special_tokens=False)["input_ids"]
    torch.testing.assert_close(network.decoder.bert.embeddings.word_embeddings.weight[index], words[spelt].mean(0))
    layer, source = network.decoder.bert.encoder.layer[0], network.encoder.encoder.layer[-1]
    torch.testing.assert_close(layer.attention.self.query.weight, source.attention.self.query.weight)
    torch.testing.assert_close(layer.crossattention.self.key.weight, source.attention.self.key.weight)


def test_kept_words_keep_their_pretrained_vectors(tiny: Tiny) -> None:
    from transformers import BertModel

    before = BertModel.from_pretrained(tiny.encoder).embeddings.word_embeddings.weight
    after = mini.build(tiny.encoder, layers=1, feed_forward=64).encoder.embeddings.word_embeddings.weight
    new = mini.intent_tokenizer(tiny.encoder).get_vocab()
    old = mini.typed_vocabulary(tiny.encoder)
    for token in ("warm", "[CLS]", "[UNK]", "##s"):
        assert torch.equal(after[new[token]], before[old[token]])


def test_a_faster_student_keeps_the_first_layers_of_its_encoder(tiny: Tiny) -> None:
    whole = mini.build(tiny.encoder, layers=1, feed_forward=64).encoder.encoder.layer
    cut = mini.build(tiny.encoder, layers=1, feed_forward=64, encoder_layers=1)
    assert cut.config.encoder.num_hidden_layers == len(cut.encoder.encoder.layer) == 1 < len(whole)
    first = cut.encoder.encoder.layer[0].attention.self.query.weight
    assert torch.equal(first, whole[0].attention.self.query.weight)


@pytest.mark.parametrize(("decoder", "encoder"), [(1, 9), (2, 1)], ids=["encoder too short", "decoder too deep"])
def test_a_student_deeper_than_its_encoder_is_refused(tiny: Tiny, decoder: int, encoder: int) -> None:
    with pytest.raises(ModelStoreError, match="cannot be made from a BERT of"):
        mini.build(tiny.encoder, layers=decoder, feed_forward=64, encoder_layers=encoder)
