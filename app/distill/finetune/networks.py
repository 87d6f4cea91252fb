"""The network that a fine-tuning starts from, with LoRA where it is asked for, and its export."""

import os
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from app.distill.finetune.plan import Lora
from app.students.store import ModelStoreError

ADAPTER = "adapter_model.safetensors"


def load_base(folder: Path, lora: Lora | None) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A Hugging Face folder with safetensors weights. Raises ModelStoreError."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        network: PreTrainedModel = auto.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32 if lora is None else None,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            **_four_bit(lora),
        )
    except ModelStoreError:
        raise
    except Exception as error:  # whatever a wrong file leads to, deep inside
        told = " ".join(str(error).split())[:200] or type(error).__name__
        raise ModelStoreError(f"{folder} holds no model to train from: {told}") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return network, tokenizer


def with_lora(network: PreTrainedModel, lora: Lora) -> PreTrainedModel:
    """The network with trainable low-rank updates; everything else is frozen."""
    from peft import LoraConfig, TaskType, get_peft_model, prepare_model_for_kbit_training

    if lora.four_bit:
        network = prepare_model_for_kbit_training(network)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        task_type=TaskType.CAUSAL_LM,
    )
    return get_peft_model(network, config)


def export(checkpoint: Path, base: Path, folder: Path, merge: bool) -> str:
    """Write a checkpoint's weights as they are served; returns the architecture.

    A LoRA checkpoint is written as an adapter, or with `merge` as whole weights.
    """
    if not (checkpoint / ADAPTER).is_file():
        network, _ = load_base(checkpoint, None)
        network.save_pretrained(folder, safe_serialization=True)
        return type(network).__name__
    from peft import PeftModel

    network, _ = load_base(base, Lora())
    adapted = PeftModel.from_pretrained(network, str(checkpoint))
    if merge:
        merged = adapted.merge_and_unload(safe_merge=True)
        merged.save_pretrained(folder, safe_serialization=True)
    else:
        # Where the base was loaded from is nobody's business; the manifest names it.
        adapted.peft_config["default"].base_model_name_or_path = ""
        adapted.save_pretrained(str(folder), safe_serialization=True)
        (folder / "README.md").unlink(missing_ok=True)
    return type(network).__name__


def _four_bit(lora: Lora | None) -> dict[str, Any]:
    if lora is None or not lora.four_bit:
        return {}
    if not torch.cuda.is_available():
        raise ModelStoreError("--four-bit needs a GPU with CUDA")
    from transformers import BitsAndBytesConfig

    quantised = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"quantization_config": quantised, "device_map": {"": int(os.environ.get("LOCAL_RANK", "0"))}}
