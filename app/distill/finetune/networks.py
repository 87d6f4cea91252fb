"""The model that a fine-tuning starts from, with LoRA where it is asked for, and its export."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from app.distill.finetune.plan import Lora
from app.students.store import ModelStoreError

ADAPTER = "adapter_model.safetensors"


def read_base(folder: Path) -> tuple[PreTrainedConfig, PreTrainedTokenizerBase]:
    """Configuration and tokenizer of a model that can be trained. Raises ModelStoreError."""
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # whatever a wrong file leads to, deep inside
        raise _no_model(folder, error) from error
    architecture = (config.architectures or [type(config).__name__])[0]
    if config.is_encoder_decoder:
        known = architecture == "T5ForConditionalGeneration" and config.is_gated_act
    else:
        known = architecture.endswith("ForCausalLM")
    if not known:
        raise ModelStoreError(
            f"{folder} holds a model that cannot be trained here ({architecture}): it must be a T5 with a gated "
            "activation, as Flan-T5, or decoder-only, as Llama"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return config, tokenizer


def require_lora(config: PreTrainedConfig, lora: Lora) -> None:
    """Raises ModelStoreError where a LoRA of this kind cannot be trained: by this model, or on this machine."""
    if config.is_encoder_decoder:
        raise ModelStoreError("an encoder-decoder is trained in full: leave out --lora and --four-bit")
    if lora.four_bit and not torch.cuda.is_available():
        raise ModelStoreError("--four-bit needs a GPU with CUDA; leave it out to train on this machine")
    if lora.four_bit and importlib.util.find_spec("bitsandbytes") is None:
        raise ModelStoreError("--four-bit needs bitsandbytes, which is not installed: pip install 'recolor[qlora]'")


def load_base(folder: Path, lora: Lora | None) -> PreTrainedModel:
    """The network as it is trained: all of it in float32, or frozen in what the GPU computes with.

    Raises ModelStoreError.
    """
    frozen = lora is not None and torch.cuda.is_available()
    return _load(folder, torch.bfloat16 if frozen else torch.float32, **_four_bit(lora))


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

    A LoRA checkpoint is written as an adapter, or with `merge` as whole weights, in the numbers of its base. Raises
    ModelStoreError.
    """
    if not (checkpoint / ADAPTER).is_file():
        network = _load(checkpoint, torch.float32)
        network.save_pretrained(folder)
        return type(network).__name__
    from peft import PeftModel

    network = _load(base, "auto")
    adapted = PeftModel.from_pretrained(network, str(checkpoint))
    if merge:
        adapted.merge_and_unload(safe_merge=True).save_pretrained(folder)
    else:
        # Where the base was loaded from is nobody's business; the manifest names it.
        adapted.peft_config["default"].base_model_name_or_path = ""
        adapted.save_pretrained(str(folder))
        (folder / "README.md").unlink(missing_ok=True)
    return type(network).__name__


def _load(folder: Path, dtype: torch.dtype | str, **options: Any) -> PreTrainedModel:
    """Raises ModelStoreError."""
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        network: PreTrainedModel
        network, found = auto.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            **options,
        )
    except Exception as error:  # whatever a wrong file leads to, deep inside
        raise _no_model(folder, error) from error
    if lacking := sorted(found["missing_keys"]):  # they would be random
        raise ModelStoreError(f"{folder} lacks {len(lacking)} weights of a {type(network).__name__}, e.g. {lacking[0]}")
    if network.get_output_embeddings().weight is not network.get_input_embeddings().weight:
        # The library says of every T5 that both are one, and would make them so when tokens are added; Flan-T5 has two.
        network.config.tie_word_embeddings = False
    return network


def _four_bit(lora: Lora | None) -> dict[str, Any]:
    if lora is None or not lora.four_bit:
        return {}
    from transformers import BitsAndBytesConfig

    quantised = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"quantization_config": quantised, "device_map": {"": int(os.environ.get("LOCAL_RANK", "0"))}}


def _no_model(folder: Path, error: Exception) -> ModelStoreError:
    told = " ".join(str(error).split())[:200] or type(error).__name__
    return ModelStoreError(f"{folder} holds no model to train from: {told}")
