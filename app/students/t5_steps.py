"""T5 one token at a time: the decoder written out over the weights of the stock `transformers` model.

Shapes are static (the cache has room for the longest answer, positions not yet written are masked), so that a step can
be compiled or captured in a CUDA graph; queries, keys and values are one matrix, and of the output layer only the rows
of the tokens in question are computed. The encoder runs once and is the stock one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import T5ForConditionalGeneration
from transformers.activations import ACT2FN


@dataclass(frozen=True, slots=True)
class _Layer:
    """One decoder block. Matrices are [out, in]; `qkv` and `cross_kv` are stacked, `inner` is gate over value."""

    qkv: Tensor
    out: Tensor
    norm: Tensor
    cross_q: Tensor
    cross_kv: Tensor
    cross_out: Tensor
    cross_norm: Tensor
    inner: Tensor
    outer: Tensor
    inner_norm: Tensor


class T5Steps:
    """Greedy or constrained decoding asks it for the logits of `tokens`, step by step.

    Args:
        network: with gated activation, as T5 1.1 and Flan-T5.
        longest: the most steps of an answer.

    Raises ValueError for a T5 of another form.
    """

    def __init__(self, network: T5ForConditionalGeneration, tokens: Sequence[int] | None, longest: int) -> None:
        config = network.config
        if not config.is_gated_act:
            raise ValueError("only T5 with a gated activation (T5 1.1, Flan-T5) is handled")
        self.device, self.dtype = network.device, network.dtype
        self._network, self._longest = network, longest
        self._heads, self._width = config.num_heads, config.d_kv
        self._epsilon = config.layer_norm_epsilon
        self._activation = ACT2FN[config.dense_act_fn]
        self._start, self._pad = config.decoder_start_token_id, config.pad_token_id
        self._scale = config.d_model**-0.5 if config.scale_decoder_outputs else 1.0
        head = network.lm_head.weight
        self._head = head if tokens is None else head[torch.tensor(tokens, device=self.device)].contiguous()
        self._words = network.shared.weight
        self._norm = network.decoder.final_layer_norm.weight
        self._layers = [_layer(block) for block in network.decoder.block]
        self._bias = self._self_bias(network.decoder.block[0].layer[0].SelfAttention)

    def begin(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Read prompts; the logits [B, A] of each answer's first token."""
        longest = max(map(len, prompts))
        ids = torch.tensor([[*prompt, *[self._pad] * (longest - len(prompt))] for prompt in prompts])
        mask = torch.tensor([[1.0] * len(prompt) + [0.0] * (longest - len(prompt)) for prompt in prompts])
        ids, mask = ids.to(self.device), mask.to(self.device)
        read = self._network.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        self._cross = [self._split(functional.linear(read, layer.cross_kv), 2) for layer in self._layers]
        self._cross_mask = ((1 - mask) * torch.finfo(self.dtype).min).to(self.dtype)[:, None, None, :]
        room = (len(prompts), self._heads, self._longest, self._width)
        self._kept = [(read.new_zeros(room), read.new_zeros(room)) for _ in self._layers]
        self._at = torch.zeros(1, dtype=torch.long, device=self.device)
        return self.step(torch.full((len(prompts),), self._start, device=self.device))

    def step(self, tokens: Tensor) -> Tensor:
        """Append one token [B] to each answer; the logits [B, A] of the next."""
        hidden = functional.embedding(tokens, self._words)[:, None]
        bias = self._bias.index_select(1, self._at)[None]
        for layer, (keys, values), (cross_keys, cross_values) in zip(
            self._layers, self._kept, self._cross, strict=True
        ):
            query, key, value = self._split(functional.linear(self._normed(hidden, layer.norm), layer.qkv), 3)
            keys.index_copy_(2, self._at, key)
            values.index_copy_(2, self._at, value)
            hidden = hidden + functional.linear(self._attend(query, keys, values, bias), layer.out)
            (query,) = self._split(functional.linear(self._normed(hidden, layer.cross_norm), layer.cross_q), 1)
            attended = self._attend(query, cross_keys, cross_values, self._cross_mask)
            hidden = hidden + functional.linear(attended, layer.cross_out)
            gate, inner = functional.linear(self._normed(hidden, layer.inner_norm), layer.inner).chunk(2, dim=-1)
            hidden = hidden + functional.linear(self._activation(gate) * inner, layer.outer)
        self._at += 1
        return functional.linear(self._normed(hidden, self._norm)[:, 0] * self._scale, self._head)

    def _attend(self, query: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
        # T5 does not scale: its initial weights do.
        attended = functional.scaled_dot_product_attention(query, keys, values, attn_mask=bias, scale=1.0)
        return attended.transpose(1, 2).flatten(2)

    def _split(self, stacked: Tensor, parts: int) -> tuple[Tensor, ...]:
        """[B, T, parts * H * D] as `parts` tensors [B, H, T, D]."""
        shaped = stacked.view(*stacked.shape[:2], parts, self._heads, self._width).permute(2, 0, 3, 1, 4)
        return tuple(part.contiguous() for part in shaped)

    def _normed(self, hidden: Tensor, weight: Tensor) -> Tensor:
        return functional.rms_norm(hidden, weight.shape, weight, self._epsilon)

    def _self_bias(self, attention: Any) -> Tensor:
        """Relative position and causal mask, [H, longest, longest]: query, key."""
        places = self._longest
        bias: Tensor = attention.compute_bias(places, places)[0]
        future = torch.ones(places, places, dtype=torch.bool, device=bias.device).triu(1)
        return bias.masked_fill(future, torch.finfo(bias.dtype).min).to(self.dtype)


def _layer(block: Any) -> _Layer:
    own, cross, inner = block.layer
    attention, other, dense = own.SelfAttention, cross.EncDecAttention, inner.DenseReluDense
    return _Layer(
        qkv=_stacked(attention.q, attention.k, attention.v),
        out=attention.o.weight,
        norm=own.layer_norm.weight,
        cross_q=other.q.weight,
        cross_kv=_stacked(other.k, other.v),
        cross_out=other.o.weight,
        cross_norm=cross.layer_norm.weight,
        inner=_stacked(dense.wi_0, dense.wi_1),
        outer=dense.wo.weight,
        inner_norm=inner.layer_norm.weight,
    )


def _stacked(*linears: nn.Linear) -> Tensor:
    return torch.cat([linear.weight for linear in linears])
