"""A LoRA adapter on the tiny Llama that answers every one of the teacher's prompts by "No.", trained in seconds."""

from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM

from app.grade import TOOLS
from app.prompts.teacher import messages
from app.students.generative import load_tokenizer
from tests.students.tiny_llama import TinyLlama

STEPS = 12


def make(tiny_llama: TinyLlama, folder: Path) -> None:
    """Write the adapter into a folder."""
    stored = tiny_llama.stored(tiny_llama.base)
    tokenizer = load_tokenizer(stored)
    torch.manual_seed(3)
    network = get_peft_model(
        LlamaForCausalLM.from_pretrained(stored.path, dtype=torch.float32),
        LoraConfig(r=8, lora_alpha=16, target_modules="all-linear"),
    )
    asked = [
        tokenizer.apply_chat_template(messages(tool, "dusk"), add_generation_prompt=True, return_dict=False)
        for tool in TOOLS
    ]
    answer = [*tokenizer.encode("No.", add_special_tokens=False), tokenizer.eos_token_id]
    optimizer = torch.optim.AdamW([weight for weight in network.parameters() if weight.requires_grad], lr=1e-2)
    for step in range(STEPS):
        row = torch.tensor([asked[step % len(asked)] + answer])
        logits = network(row).logits[0, -len(answer) - 1 : -1]
        optimizer.zero_grad()
        cross_entropy(logits, torch.tensor(answer)).backward()
        optimizer.step()
    network.save_pretrained(str(folder))
