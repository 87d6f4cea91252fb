"""A slot-filling student's forward pass by the modules of `transformers`, as the measure of the project's own."""

import torch
from torch import Tensor
from transformers import EncoderDecoderModel

from app.students.slots import SlotTable


def slot_logits(
    model: EncoderDecoderModel, table: SlotTable, input_ids: Tensor, attention_mask: Tensor | None
) -> Tensor:
    """The logits of every slot, [B, S, V], for intents [B, T]."""
    rows, slots = input_ids.shape[0], table.queries.shape[0]
    encoded = model.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    output = model.decoder(
        input_ids=table.queries.expand(rows, slots),
        # A mask of four dimensions replaces the causal one: every slot may look at every other.
        attention_mask=torch.ones(rows, 1, slots, slots, dtype=torch.bool),
        encoder_hidden_states=encoded,
        encoder_attention_mask=attention_mask,
        use_cache=False,
    )
    logits: Tensor = output.logits
    return logits
