"""The pass that answers gives the numbers of the library's own modules."""

import pytest
import torch
from transformers import BertConfig, BertLMHeadModel, BertModel, EncoderDecoderModel, PreTrainedTokenizerFast

from app.students.hf import ANSWERS, load_network
from app.students.mini import answer_tokenizer
from app.students.one_pass import OnePass
from app.students.slots import SlotTable
from app.students.text import Reader
from tests.students.reference import slot_logits
from tests.students.tiny import Tiny, rows

INTENTS = [row["intent"] for row in rows("teacher.jsonl")[::600]]


def assert_same(network: EncoderDecoderModel, table: SlotTable, ids: torch.Tensor, mask: torch.Tensor | None) -> None:
    with torch.inference_mode():
        torch.testing.assert_close(
            OnePass(network, table)(ids, mask), slot_logits(network, table, ids, mask), atol=2e-3, rtol=1e-4
        )


@pytest.mark.parametrize("count", [1, 2, len(INTENTS)])
def test_intents_of_one_or_many_lengths(loud: Tiny, count: int) -> None:
    network = load_network(loud.path, loud.stored.manifest)
    table = SlotTable.of(PreTrainedTokenizerFast.from_pretrained(loud.path / ANSWERS))
    reader = Reader(PreTrainedTokenizerFast.from_pretrained(loud.path))
    assert_same(network, table, *reader.batch([reader.read(intent) for intent in INTENTS[:count]]))


@pytest.mark.parametrize("layers", [1, 3])
def test_decoders_of_any_depth(layers: int) -> None:
    table = SlotTable.of(answer_tokenizer())
    torch.manual_seed(layers)
    shape = {"num_attention_heads": 4, "intermediate_size": 64}
    encoder = BertConfig(vocab_size=50, hidden_size=32, num_hidden_layers=2, **shape)
    decoder = BertConfig(
        vocab_size=table.allowed.shape[1],
        hidden_size=32,
        num_hidden_layers=layers,
        is_decoder=True,
        add_cross_attention=True,
        **shape,
    )
    network = EncoderDecoderModel(
        encoder=BertModel(encoder, add_pooling_layer=False), decoder=BertLMHeadModel(decoder)
    ).eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, 0, 0.2)  # as drawn, all attention is even and errors in it show nothing
    ids = torch.randint(1, 50, (3, 7))
    assert_same(network, table, ids, torch.arange(7) < torch.tensor([[7], [3], [1]]))
    assert_same(network, table, ids, None)
