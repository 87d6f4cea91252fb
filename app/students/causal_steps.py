"""A decoder-only model one token at a time, by the stock `transformers` network and its cache.

The reference beside vLLM, which serves such students in production: for one machine without it, and to show that both
give the same answers.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache, PreTrainedModel


class CausalSteps:
    """The logits of `tokens` (None: of the whole vocabulary), step by step, for a batch of prompts."""

    def __init__(self, network: PreTrainedModel, tokens: Sequence[int] | None) -> None:
        self.device = network.device
        self._body = network.base_model
        head = network.get_output_embeddings().weight
        self._head = head if tokens is None else head[torch.tensor(tokens, device=self.device)].contiguous()

    def begin(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Read prompts; the logits [B, A] of each answer's first token."""
        longest = max(map(len, prompts))
        # Padded on the left with any token: the mask hides it, and positions count from the first real one.
        ids = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=self.device)
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=self.device)
        self._mask = (torch.arange(longest, device=self.device) >= (longest - lengths)[:, None]).long()
        self._cache = DynamicCache()
        self._next = lengths
        return self._forward(ids, (self._mask.cumsum(1) - 1).clamp(min=0))

    def step(self, tokens: Tensor) -> Tensor:
        """Append one token [B] to each answer; the logits [B, A] of the next."""
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(tokens), 1)], dim=1)
        logits = self._forward(tokens[:, None], self._next[:, None])
        self._next = self._next + 1
        return logits

    def _forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        hidden = self._body(
            input_ids=ids,
            attention_mask=self._mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state
        return functional.linear(hidden[:, -1], self._head)
